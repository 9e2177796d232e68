//! A worker with the async adapter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atproto_oauth_core::SessionKey;
use atproto_oauth_reqwest::{OAuthClient, OAuthClientBuilder};
#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
use atproto_oauth_store::{AsyncStore, Sealed, SealingKeys};
use tokio::runtime::Builder;

use super::{PER_ACCOUNT, QUERY, by_account, pick, random_time, tell, tell_end};
use crate::Outcome;
use crate::journal::Journal;
use crate::network::Address;
use crate::place::Place;
use crate::task::Task;

pub(super) fn work(task: &Task, stop: &Arc<AtomicBool>) -> Outcome<()> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let app = client(task).await?;
        let mut running = Vec::new();
        for sessions in by_account(task)?
            .into_iter()
            .flat_map(|sessions| std::iter::repeat_n(Arc::new(sessions), PER_ACCOUNT))
        {
            let (app, stop, pause) = (app.clone(), Arc::clone(stop), task.pause);
            running.push(tokio::spawn(async move {
                while let (Some(key), false) = (pick(&sessions), stop.load(Ordering::SeqCst)) {
                    tell_end(key, visit(&app, key).await);
                    tokio::time::sleep(random_time(pause)).await;
                }
            }));
        }
        for task in running {
            task.await?;
        }
        app.shutdown().await;
        Ok(())
    })
}

async fn visit(app: &OAuthClient, key: &SessionKey) -> Result<http::StatusCode, String> {
    let session = app.restore(key).await.map_err(|error| format!("{:?}", error.error))?;
    let reply = session.query(QUERY, &[]).await.map_err(|error| format!("{:?}", error.error))?;
    Ok(reply.response.status())
}

async fn client(task: &Task) -> Outcome<OAuthClient> {
    let Address { nameserver, hosts, .. } = &task.address;
    let builder = OAuthClient::builder(task.address.client()?)
        .driver(|driver| {
            let driver = driver.nameserver(*nameserver);
            hosts.iter().fold(driver, |driver, (host, at)| driver.host_override(host, *at))
        })
        .clock_skew(task.clock_skew)
        .on_event(tell)
        .plaintext_at_rest();
    Ok(with_store(builder, task).await?.build()?)
}

async fn with_store(builder: OAuthClientBuilder, task: &Task) -> Outcome<OAuthClientBuilder> {
    Ok(match &task.place {
        Place::File(_) | Place::Sqlite(_) => builder.blocking_store(Journal(task.store()?)),
        #[cfg(feature = "postgres")]
        Place::Postgres(url) => {
            sealed(builder, crate::place::postgres(url).await?, task.sealing_keys()?)
        }
        #[cfg(feature = "mysql")]
        Place::Mysql(url) => sealed(builder, crate::place::mysql(url).await?, task.sealing_keys()?),
        #[cfg(feature = "redis")]
        Place::Redis(url) => sealed(builder, crate::place::redis(url).await?, task.sealing_keys()?),
    })
}

#[cfg(any(feature = "postgres", feature = "mysql", feature = "redis"))]
fn sealed(
    builder: OAuthClientBuilder,
    store: impl AsyncStore,
    keys: Option<SealingKeys>,
) -> OAuthClientBuilder {
    match keys {
        Some(keys) => builder.store(Journal(Sealed::new(store, keys))),
        None => builder.store(Journal(store)),
    }
}
