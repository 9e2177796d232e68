//! Logs in with skyauth. Prints the URL for the browser, reads the callback URL from the standard input, and
//! prints the DID of the account.

use skyauth::client::{AtprotoOAuthClient, CallbackParams, OAuthClientMetadata};
use url::Url;

async fn log_in() -> Result<(), Box<dyn std::error::Error>> {
    let [client_id, redirect_uri] = [1, 2].map(|index| std::env::args().nth(index).unwrap());
    let metadata = OAuthClientMetadata::new(client_id, redirect_uri);
    let metadata = metadata.with_scope("atproto transition:generic");
    let client = AtprotoOAuthClient::builder().metadata(metadata).build()?;

    let login = client.authorize("alice.test").await?;
    println!("{}", login.authorization_url);
    let mut callback = String::new();
    std::io::stdin().read_line(&mut callback)?;
    let callback = Url::parse(callback.trim())?;
    let param =
        |name| callback.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value);
    let [code, state, iss] = ["code", "state", "iss"].map(|name| param(name).unwrap_or_default());
    let params = CallbackParams::new(code, state).with_iss(iss);
    let session = client.handle_callback(&params).await?;

    let reply = client.send_xrpc_request(&session, "com.atproto.server.getSession", &[]).await?;
    reply.error_for_status()?;
    println!("{}", session.sub());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(log_in())
}
