//! A handler that does, by the key of its object, what no handler should do.

use std::{
    cell::Cell,
    collections::HashMap,
    io::Read as _,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures::FutureExt as _;
use rand::Rng as _;
use rand_08::Rng as _;
use restate_sdk::prelude::*;

static COUNTED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static COUNTED_HERE: Cell<u64> = const { Cell::new(0) };
}

pub(crate) struct Rogue;

#[object]
impl Rogue {
    #[handler]
    async fn act(&self, ctx: ObjectContext<'_>, n: u64) -> HandlerResult<String> {
        // a point at which the attempt waits once
        ctx.run(|| async { Ok(()) }).name("begin").await?;
        let what = ctx.key().to_owned();
        match what.as_str() {
            "recursion" => {
                let next = ctx.object_client::<RogueClient<'_>>("recursion").act(n + 1);
                return Ok(next.call().await?);
            }
            "deep_recursion" => {
                let key = format!("deep_recursion-{n}");
                return Ok(ctx.object_client::<RogueClient<'_>>(key).act(n + 1).call().await?);
            }
            "sends" => {
                for n in 0..100_000_u64 {
                    drop(ctx.object_client::<RogueClient<'_>>(format!("sent-{n}")).act(n).send());
                }
                return Ok(String::new());
            }
            "endless_sends" => {
                for n in 0_u64.. {
                    drop(ctx.object_client::<RogueClient<'_>>(format!("sent-{n}")).act(n).send());
                }
            }
            _ => {}
        }
        Ok(match what.split_once('-') {
            Some(("deep_recursion", _)) => {
                let key = format!("deep_recursion-{n}");
                ctx.object_client::<RogueClient<'_>>(key).act(n + 1).call().await?
            }
            _ => act(&what).await,
        })
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb goes off");
    }
}

async fn act(what: &str) -> String {
    match what {
        "hash_map" => {
            (0..24).map(|i| (i, ())).collect::<HashMap<u32, ()>>().into_keys().map(text).collect()
        }
        "system_time" => text(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()),
        "instant" => format!("{:?}", Instant::now()),
        "uuid_v4" => uuid::Uuid::new_v4().to_string(),
        "uuid_v7" => uuid::Uuid::now_v7().to_string(),
        "rand_08" => text(rand_08::thread_rng().r#gen::<u64>()),
        "rand_09" => text(rand::rng().random::<u64>()),
        "fastrand" => text(fastrand::u64(..)),
        "ahash" => {
            let map: HashMap<u32, (), ahash::RandomState> = (0..24).map(|i| (i, ())).collect();
            map.into_keys().map(text).collect()
        }
        "hashbrown" => {
            let map: hashbrown::HashMap<u32, ()> = (0..24).map(|i| (i, ())).collect();
            map.into_keys().map(text).collect()
        }
        "thread_local" => text(COUNTED_HERE.with(|n| n.replace(n.get() + 1))),
        "static" => text(COUNTED.fetch_add(1, Ordering::Relaxed)),
        "thread" => {
            let (tell, told) = tokio::sync::oneshot::channel();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                tell.send("from a thread").unwrap();
            });
            told.await.unwrap().to_owned()
        }
        "endless_thread" => {
            let (tell, told) = tokio::sync::oneshot::channel::<()>();
            thread::spawn(move || {
                thread::sleep(Duration::from_secs(3_600));
                drop(tell);
            });
            format!("{:?}", told.await)
        }
        "spawn_blocking" => tokio::task::spawn_blocking(|| {
            thread::sleep(Duration::from_millis(20));
            "from a thread".to_owned()
        })
        .await
        .unwrap(),
        "select" => {
            let mut chosen = String::new();
            for _ in 0..16 {
                chosen += tokio::select! { () = async {} => "a", () = async {} => "b", () = async {} => "c" };
            }
            chosen
        }
        "select_biased" => {
            tokio::select! { biased; () = async {} => "a", () = async {} => "b" }.to_owned()
        }
        "futures_select" => {
            let mut chosen = String::new();
            for _ in 0..16 {
                let (mut a, mut b) = (Box::pin(async {}.fuse()), Box::pin(async {}.fuse()));
                chosen += futures::select! { () = a => "a", () = b => "b" };
            }
            chosen
        }
        "address" => format!("{:p}", Box::new(what.len())),
        "pid" => text(std::process::id()),
        "env" => std::env::var("HOME").unwrap_or_default(),
        "file" => std::fs::read_to_string("/proc/self/stat").unwrap(),
        "dev_urandom" => {
            let mut bytes = [0; 8];
            std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
            text(u64::from_le_bytes(bytes))
        }
        "loop" => loop {
            std::hint::spin_loop();
        },
        "recv" => format!("{:?}", {
            let (_tell, told) = mpsc::channel::<()>();
            told.recv_timeout(Duration::MAX).map_err(|_| told.recv())
        }),
        "block_on" => {
            futures::executor::block_on(tokio::time::sleep(Duration::from_secs(1)));
            String::new()
        }
        "spin" => {
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(1) {}
            String::new()
        }
        "interval" => {
            tokio::spawn(async {
                let mut ticks = tokio::time::interval(Duration::from_secs(1));
                loop {
                    ticks.tick().await;
                }
            });
            String::new()
        }
        "drop" => {
            let _bomb = Bomb;
            std::future::pending().await
        }
        "double_panic" => {
            let _bomb = Bomb;
            panic!("the first of two")
        }
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "overflow" => text(deeper(0)),
        "thread_exit" => {
            thread::spawn(|| std::process::exit(0)).join().unwrap();
            String::new()
        }
        // what no handler could know, and what stands for all that differs from process to process
        "exits_there" if in_second_process() => std::process::exit(7),
        "hangs_here" if !in_second_process() => std::future::pending().await,
        "println" => {
            println!("{{ this is no JSON");
            String::new()
        }
        _ => String::new(),
    }
}

fn in_second_process() -> bool {
    std::env::var_os("ONCEPROOF_SECOND_PROCESS").is_some()
}

fn text(value: impl std::fmt::Display) -> String {
    format!("{value},")
}

#[allow(unconditional_recursion, reason = "what it is for")]
fn deeper(n: u64) -> u64 {
    let kept = std::hint::black_box([n; 64]);
    deeper(n + 1) + kept[usize::try_from(n % 64).unwrap()]
}
