//! What handler code sees of clock and entropy, through the calls that handlers make: in a scope,
//! outside it, on other threads, and in another process. As a program of its own it also proves that the C
//! functions reach the programs of users.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what users' code reads is what is tested"
)]
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::{
    collections::{HashMap, HashSet},
    env,
    io::Write,
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use onceproof::{base::VirtualTime, entropy};
use rand::Rng;
use uuid::Uuid;

const EPOCH: Duration = Duration::from_millis(VirtualTime::EPOCH_UNIX_MS);

/// Everything that must follow from the seed, in the order in which it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    wall: SystemTime,
    monotonic: Instant,
    uuid: Uuid,
    random: [u64; 4],
    map_order: Vec<u32>,
}

impl Seen {
    fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            monotonic: Instant::now(),
            uuid: Uuid::new_v4(),
            random: rand::rng().random(),
            map_order: map_order(),
        }
    }
}

fn map_order() -> Vec<u32> {
    (0..20).map(|i| (i, ())).collect::<HashMap<_, _>>().into_keys().collect()
}

fn on_fresh_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(f).join().expect("the thread's own assertions hold")
}

/// Two attempts of one run, an hour apart.
fn run(seed: u64) -> [Seen; 2] {
    on_fresh_thread(move || {
        let _scope = entropy::enter(seed);
        let first = Seen::now();
        entropy::reseed(seed + 1000);
        entropy::set_clock(VirtualTime::from_millis(3_600_000));
        [first, Seen::now()]
    })
}

#[test]
fn everything_is_controlled_here() {
    let found = entropy::capabilities();
    assert_eq!(found.uncontrolled().collect::<Vec<_>>(), [""; 0]);
    assert!(entropy::hash_keys_controlled());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [0, 1, 7, u64::MAX / 2] {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn another_process_sees_the_same_run() {
    const IN_CHILD: &str = "ONCEPROOF_TEST_ENTROPY_CHILD";
    let seen = format!("seen: {:?}", run(42));
    if env::var_os(IN_CHILD).is_some() {
        // Past the test harness, which captures only what `println!` prints.
        writeln!(std::io::stdout(), "\n{seen}").expect("the parent reads");
        return;
    }
    let child = Command::new(env::current_exe().expect("a test binary has a path"))
        .args(["--exact", "entropy::another_process_sees_the_same_run"])
        .env(IN_CHILD, "1")
        .output()
        .expect("the test binary starts");
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert_eq!(output.lines().find(|line| line.starts_with("seen: ")), Some(&*seen));
}

#[test]
fn seeds_and_attempts_differ() {
    let seen: Vec<Seen> = (0..8).flat_map(run).collect();
    let distinct = |what: &str, n: usize| assert_eq!(n, seen.len(), "{what}");
    distinct("uuid", seen.iter().map(|s| s.uuid).collect::<HashSet<_>>().len());
    distinct("map order", seen.iter().map(|s| &s.map_order).collect::<HashSet<_>>().len());
    // The thread's generator was seeded in the first attempt and goes on in the second: it differs
    // as well.
    distinct("random", seen.iter().map(|s| s.random).collect::<HashSet<_>>().len());
}

#[test]
fn the_clock_stands_still_until_it_is_set_and_never_goes_back() {
    let _scope = entropy::enter(1);
    let (wall, monotonic) = (SystemTime::now(), Instant::now());
    assert_eq!(wall, UNIX_EPOCH + EPOCH);
    let check = |set_ns: u64, shown_ns: u64| {
        entropy::set_clock(VirtualTime::from_nanos(set_ns));
        let shown = Duration::from_nanos(shown_ns);
        assert_eq!(SystemTime::now(), wall + shown, "wall clock set to {set_ns} ns");
        assert_eq!(monotonic.elapsed(), shown, "monotonic clock set to {set_ns} ns");
    };
    check(0, 0);
    check(1, 1);
    check(1_999_999_999, 1_999_999_999);
    check(5, 1_999_999_999);
    check(86_400_000_000_123, 86_400_000_000_123);
    entropy::reseed(2);
    check(0, 86_400_000_000_123);
}

#[test]
fn skew_moves_the_wall_clock_alone() {
    let check = |skew_ms: i64, wall: SystemTime| {
        let _scope = entropy::enter(1);
        let monotonic = Instant::now();
        entropy::set_skew_ms(skew_ms);
        assert_eq!(SystemTime::now(), wall, "skew of {skew_ms} ms");
        assert_eq!(monotonic.elapsed(), Duration::ZERO);
    };
    let start = UNIX_EPOCH + EPOCH;
    check(0, start);
    check(1500, start + Duration::from_millis(1500));
    check(-1, start - Duration::from_millis(1));
    check(i64::MIN, UNIX_EPOCH);
}

#[test]
fn a_thread_that_is_used_again_orders_maps_as_before() {
    let orders = |seed| {
        let _scope = entropy::enter(seed);
        let first = [map_order(), map_order()];
        entropy::reseed(seed);
        assert_eq!([map_order(), map_order()], first, "reseeded with the same seed");
        first
    };
    let once = orders(5);
    for _ in 0..3 {
        map_order();
        assert_ne!(orders(6), once);
        assert_eq!(orders(5), once);
    }
    assert_eq!(on_fresh_thread(move || orders(5)), once);
}

#[test]
fn outside_the_scope_everything_is_real() {
    on_fresh_thread(|| {
        for _ in 0..2 {
            let scope = entropy::enter(3);
            let uuid = Uuid::new_v4();
            drop(scope);
            assert_real(uuid);
        }
    });
    // The hash keys of a thread are its own again, also after two scopes with the same seed.
    let after_scope = || {
        on_fresh_thread(|| {
            map_order();
            drop(entropy::enter(3));
            map_order()
        })
    };
    assert_ne!(after_scope(), after_scope());
}

#[test]
fn other_threads_stay_real_while_a_scope_is_active() {
    let _scope = entropy::enter(3);
    let uuid = Uuid::new_v4();
    let orders = [(); 2].map(|()| {
        on_fresh_thread(move || {
            assert_real(uuid);
            assert!(!entropy::drawn());
            map_order()
        })
    });
    assert_ne!(orders[0], orders[1]);
    assert_eq!(SystemTime::now(), UNIX_EPOCH + EPOCH);
}

/// Asserts that this thread has the machine's clock and entropy; `drawn` came from a scope.
fn assert_real(drawn: Uuid) {
    assert_ne!(Uuid::new_v4(), drawn);
    assert_ne!(Uuid::new_v4(), Uuid::new_v4());
    let monotonic = Instant::now();
    // The kernel stamps a file without asking the C library.
    let file = tempfile::tempfile().expect("a temporary file can be made");
    let stamp = file.metadata().and_then(|m| m.modified()).expect("a file has a time");
    let apart = SystemTime::now().duration_since(stamp).unwrap_or_else(|e| e.duration());
    assert!(apart < Duration::from_secs(60), "{apart:?} from the kernel's time");
    assert!(monotonic.elapsed() > Duration::ZERO);
}

#[test]
fn drawing_entropy_in_a_scope_is_noticed() {
    let check = |what: &str, expected: bool, draw: fn()| {
        let found = on_fresh_thread(move || {
            let _ = (Uuid::new_v4(), map_order());
            let scope = entropy::enter(1);
            assert!(!entropy::drawn(), "draws outside a scope do not count");
            draw();
            drop(scope);
            let _scope = entropy::enter(1);
            entropy::drawn()
        });
        assert_eq!(found, expected, "{what}");
    };
    check("nothing", false, || ());
    check("clocks", false, || _ = (SystemTime::now(), Instant::now()));
    check("map order", false, || _ = map_order());
    check("reseed", false, || entropy::reseed(2));
    check("uuid", true, || _ = Uuid::new_v4());
    check("rand::rng", true, || _ = rand::rng().random::<u64>());
}

#[test]
fn a_generator_of_the_thread_survives_its_scope() {
    let draw = || {
        let _scope = entropy::enter(9);
        rand::rng().random::<u64>()
    };
    let (first, again) = on_fresh_thread(move || (draw(), draw()));
    assert_ne!(first, again, "if these are equal, `drawn` is not needed");
    assert_eq!(on_fresh_thread(draw), first);
}

mod c_functions {
    //! What std does not call, and the ways to fail.

    use std::{io::Error, ptr};

    use super::*;

    unsafe extern "C" {
        // The libc crate has it for glibc only.
        fn getentropy(buf: *mut libc::c_void, len: usize) -> libc::c_int;
    }

    fn timespec(id: libc::clockid_t) -> Result<Duration, Option<i32>> {
        let mut out = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `out` is writable.
        if unsafe { libc::clock_gettime(id, &raw mut out) } != 0 {
            return Err(Error::last_os_error().raw_os_error());
        }
        let secs = u64::try_from(out.tv_sec).expect("no clock starts before the epoch");
        Ok(Duration::new(secs, u32::try_from(out.tv_nsec).expect("a fraction of a second")))
    }

    #[test]
    fn all_clocks_agree() {
        let now = Duration::new(5, 123_456_789);
        let _scope = entropy::enter(1);
        let booted = timespec(libc::CLOCK_MONOTONIC).expect("the clock exists");
        entropy::set_clock(VirtualTime::ZERO.after(now));
        for id in [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE, libc::CLOCK_TAI] {
            assert_eq!(timespec(id), Ok(EPOCH + now), "clock {id}");
        }
        for id in [libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_BOOTTIME] {
            assert_eq!(timespec(id), Ok(booted + now), "clock {id}");
        }
        let mut day = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut secs = 0;
        // SAFETY: the outputs are writable, or null where that is allowed.
        unsafe {
            assert_eq!(libc::gettimeofday(&raw mut day, ptr::null_mut()), 0);
            assert_eq!(libc::time(&raw mut secs), secs);
            assert_eq!(libc::time(ptr::null_mut()), secs);
        }
        let expected = i64::try_from((EPOCH + now).as_secs()).expect("a time of this century");
        assert_eq!((day.tv_sec, day.tv_usec, secs), (expected, 123_456, expected));
    }

    #[test]
    fn processor_time_is_real() {
        let _scope = entropy::enter(1);
        let start = timespec(libc::CLOCK_THREAD_CPUTIME_ID);
        assert!(start < Ok(EPOCH / 2), "{start:?}");
        while timespec(libc::CLOCK_THREAD_CPUTIME_ID) == start {}
    }

    #[test]
    fn errors_are_the_kernels() {
        let check = || {
            assert_eq!(timespec(12345), Err(Some(libc::EINVAL)));
            let mut buf = [0_u8; 257];
            // SAFETY: the buffer has the length that is given; null is refused by the kernel.
            unsafe {
                assert_eq!(getentropy(buf.as_mut_ptr().cast(), 257), -1);
                assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EIO));
                assert_eq!(libc::getrandom(ptr::null_mut(), 1, 0), -1);
                assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EFAULT));
                assert_eq!(libc::getrandom(buf.as_mut_ptr().cast(), 0, 0), 0);
            }
            assert_eq!(buf, [0; 257]);
        };
        on_fresh_thread(move || {
            check();
            let _scope = entropy::enter(1);
            check();
            assert!(!entropy::drawn(), "nothing was given out");
        });
    }

    #[test]
    fn entropy_fills_the_buffer_and_nothing_else() {
        let fill = |len: usize| {
            let mut buf = [0_u8; 300];
            // SAFETY: the lengths are at most that of the buffer.
            let rest = unsafe {
                assert_eq!(libc::getrandom(buf.as_mut_ptr().cast(), len, 0), len as isize);
                assert_eq!(getentropy(buf.as_mut_ptr().cast(), len.min(256)), 0);
                &buf[len..]
            };
            assert!(rest.iter().all(|&b| b == 0), "{len} bytes");
            buf
        };
        for len in [1, 7, 8, 9, 255, 256] {
            let outside = [fill(len), fill(len)];
            let scope = entropy::enter(1);
            let inside = fill(len);
            drop(scope);
            let _scope = entropy::enter(1);
            assert_eq!(fill(len), inside);
            assert!(len < 8 || (outside[0] != outside[1] && !outside.contains(&inside)));
        }
    }
}
