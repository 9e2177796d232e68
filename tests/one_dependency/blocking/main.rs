//! Logs in to a development network. Prints the URL for the browser, reads the callback URL from
//! the standard input, and prints the DID of the account.

use atproto_oauth_ureq::{
    CallbackParams, Client, DriverBuilder, Resolver, Scopes, StatelessClient, Subject, url::Url,
    xrpc,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [directory, nameserver] = [1, 2].map(|index| std::env::args().nth(index).unwrap());
    let client = Client::loopback(Scopes::parse("atproto transition:generic")?)
        .resolver(Resolver::new().with_directories([Url::parse(&directory)?]))
        .development()
        .build()?;
    let driver = DriverBuilder::default().development().nameserver(nameserver.parse()?).build();
    let client = StatelessClient::with_driver(client, driver);

    let login = client.authorize(Subject::parse("alice.test")?)?;
    println!("{}", login.url);
    let mut callback = String::new();
    std::io::stdin().read_line(&mut callback)?;
    let session = client.callback(login.pending, CallbackParams::parse(&callback)?)?.session;

    let query = xrpc::query("com.atproto.server.getSession", &[])?;
    let reply = client.request(&session, query)?;
    xrpc::check(&reply.response)?;
    println!("{}", session.did());
    client.revoke(session)?;
    Ok(())
}
