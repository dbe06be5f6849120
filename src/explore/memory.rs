//! How much memory this process may have before the system ends it without a word.
//!
//! Must not know: what is done about it.

/// How much this process has, in bytes, if that is more than half of what it can get; none if not, or if nobody knows.
pub(super) fn scarce() -> Option<u64> {
    platform::resident().filter(|bytes| platform::most().is_some_and(|most| *bytes > most / 2))
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn resident() -> Option<u64> {
        None
    }
    pub(super) fn most() -> Option<u64> {
        None
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{fs, sync::OnceLock};

    /// What a control group allows, version 2 and version 1.
    const LIMITS: [&str; 2] =
        ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

    fn of_system(name: libc::c_int) -> Option<u64> {
        // SAFETY: asks for a number.
        u64::try_from(unsafe { libc::sysconf(name) }).ok()
    }

    pub(super) fn resident() -> Option<u64> {
        let pages = fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = pages.split(' ').nth(1)?.parse().ok()?;
        pages.checked_mul(of_system(libc::_SC_PAGESIZE)?)
    }

    pub(super) fn most() -> Option<u64> {
        static MOST: OnceLock<Option<u64>> = OnceLock::new();
        *MOST.get_or_init(|| {
            let limit = |file: &str| fs::read_to_string(file).ok()?.trim().parse().ok();
            let pages = of_system(libc::_SC_PHYS_PAGES)?;
            let physical = pages.checked_mul(of_system(libc::_SC_PAGESIZE)?)?;
            LIMITS.into_iter().filter_map(limit).chain([physical]).min()
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_there_is_more() {
        let (resident, most) = (platform::resident().unwrap(), platform::most().unwrap());
        assert!(resident > 100_000 && resident < most, "{resident} of {most}");
        assert_eq!(scarce(), None);
    }
}
