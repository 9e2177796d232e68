//! Logs in to a development network. Prints the URL for the browser, reads the callback URL from
//! the standard input, and prints the DID of the account.

use atproto_oauth_reqwest::{
    CallbackParams, Client, DriverBuilder, Resolver, Scopes, StatelessClient, Subject, tokio,
    url::Url, xrpc,
};

async fn log_in() -> Result<(), Box<dyn std::error::Error>> {
    let [directory, nameserver] = [1, 2].map(|index| std::env::args().nth(index).unwrap());
    let client = Client::loopback(Scopes::parse("atproto transition:generic")?)
        .resolver(Resolver::new().with_directories([Url::parse(&directory)?]))
        .development()
        .build()?;
    let driver = DriverBuilder::default().development().nameserver(nameserver.parse()?).build();
    let client = StatelessClient::with_driver(client, driver);

    let login = client.authorize(Subject::parse("alice.test")?).await?;
    println!("{}", login.url);
    let mut callback = String::new();
    std::io::stdin().read_line(&mut callback)?;
    let session = client.callback(login.pending, CallbackParams::parse(&callback)?).await?.session;

    let query = xrpc::query("com.atproto.server.getSession", &[])?;
    let reply = client.request(&session, query).await?;
    xrpc::check(&reply.response)?;
    println!("{}", session.did());
    client.revoke(session).await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(log_in())
}
