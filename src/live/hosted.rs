//! Services on loopback ports for a real Restate server, in a thread of their own that ends with [`Hosted`]: they can go
//! down for a while, and other deployments can be put beside them.
//!
//! Must not know: what passes, any SDK, any system.

use std::{
    future::poll_fn,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    thread::JoinHandle,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::Handle,
    sync::oneshot,
};

use super::{
    LiveError, WorldOptions,
    calls::Calls,
    clock::Clock,
    complain,
    host::{Host, HostOptions, says},
    log::{Log, Seen},
    tasks::Tasks,
    world::Systems,
};
use crate::{
    base::{Seed, VirtualTime},
    history::Event,
    sim::{Built, Deployment},
    system::World,
};

/// How long open attempts may take to end when a host ends.
const FAREWELL: Duration = Duration::from_millis(500);
/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long to wait before a port is asked for again that was ours.
const AGAIN: Duration = Duration::from_millis(50);

/// Services on ports; they are gone when this is dropped.
#[derive(Debug)]
pub struct Hosted {
    services: Arc<Services>,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A deployment that is hosted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its number, from 1.
    pub(super) number: u32,
    port: u16,
}

impl Place {
    /// Where a server on this machine finds it.
    pub(super) fn uri(self) -> String {
        uri(self.port)
    }
}

fn uri(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Hosted {
    /// The port of the first deployment.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where a server on this machine finds the first deployment.
    #[must_use]
    pub fn uri(&self) -> String {
        uri(self.port)
    }

    /// Where the run says that it is alive, also while its services are down.
    ///
    /// # Errors
    /// If there is no free port.
    pub(super) fn answer_for(&self, run: &str) -> Result<String, LiveError> {
        let (tasks, run) = (Tasks::default(), run.to_owned());
        let (listener, port) = self.services.listen(0)?;
        let says = move |request| {
            let run = run.clone();
            async move { says(&request, &run) }
        };
        tasks.accept(&self.services.runtime, listener, says);
        self.services.all().answers = tasks;
        Ok(uri(port))
    }

    /// Hosts one more deployment beside the others.
    ///
    /// # Errors
    /// If there is no free port.
    pub(super) fn add(&self, built: &Built) -> Result<Place, LiveError> {
        self.services.add(built, 0)
    }

    /// Ends every process of the services that are hosted by now; their ports refuse connections for so long.
    pub(super) fn take_down(&self, time: Duration) {
        let services = &self.services;
        let up: Vec<Tasks> =
            services.all().deployments.iter_mut().filter_map(|one| one.tasks.take()).collect();
        // not under the lock: what ends may need it to come up
        for tasks in up {
            tasks.end(&services.runtime);
        }
        let now = services.calls.log.clock().now();
        let mut all = services.all();
        let until = all.down_until.map_or(now.after(time), |before| before.max(now.after(time)));
        all.down_until = Some(until);
        for one in &mut all.deployments {
            if one.tasks.is_none() && one.kept.is_none() {
                one.kept = services.keep(one.place.port);
                services.record(Event::ProcessCrashed { process: one.process });
            }
        }
        services.record(Event::EndpointDown { until });
        let (later, wait) = (Arc::clone(services), until.since(now));
        #[expect(clippy::disallowed_methods, reason = "it ends with the services")]
        drop(services.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            later.bring_up();
        }));
    }

    /// Whether services are down.
    pub(super) fn is_down(&self) -> bool {
        self.services.all().down_until.is_some()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Hosts services over HTTP without TLS, with the simulated outside world in real time.
///
/// # Errors
/// If the port is taken, or the ledger cannot be used.
pub fn serve(
    deployment: &Deployment,
    world: &WorldOptions,
    options: &HostOptions,
) -> Result<Hosted, LiveError> {
    let log = Log::forgetful(Clock::start());
    host(deployment, world, options, "port", &log).map(|(hosted, _)| hosted)
}

/// Hosts services for a run, and writes down what passes.
pub(super) fn watch(
    deployment: &Deployment,
    world: &WorldOptions,
    options: &HostOptions,
    log: &Log,
) -> Result<(Hosted, Systems), LiveError> {
    host(deployment, world, options, "serve-port", log)
}

/// Hosts services; `option` is the argument that chooses the port.
fn host(
    deployment: &Deployment,
    world_options: &WorldOptions,
    options: &HostOptions,
    option: &'static str,
    log: &Log,
) -> Result<(Hosted, Systems), LiveError> {
    let world = deployment.world(Seed(0)).with_opening_states(&world_options.state);
    let hub = world.hub().clone();
    let systems = Systems::new(deployment.systems(), hub.clone(), world_options, log.clone())?;
    let calls = Calls::new(hub, log.clone(), systems.clone());
    let failed = |error| LiveError::Port { port: options.port, option, error };
    // one thread: what a poll asks of the world was asked by that poll
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let services = Arc::new(Services {
        runtime: runtime.handle().clone(),
        world,
        calls: calls.clone(),
        options: Arc::new(options.clone()),
        option,
        warned: Arc::default(),
        all: Mutex::default(),
    });
    let port = services.add(deployment.first(), options.port)?.port;
    let (stop, stopped) = oneshot::channel::<()>();
    let body = move || {
        runtime.block_on(async move {
            let mut background = pin!(calls.answer_tasks());
            let mut stopped = pin!(stopped);
            poll_fn(|cx| {
                let _: Poll<()> = background.as_mut().poll(cx);
                stopped.as_mut().poll(cx).map(drop)
            })
            .await;
        });
        runtime.shutdown_timeout(FAREWELL);
    };
    let thread = std::thread::Builder::new().name("services".to_owned()).spawn(body);
    let thread = Some(thread.map_err(failed)?);
    Ok((Hosted { services, port, stop: Some(stop), thread }, systems))
}

struct Services {
    runtime: Handle,
    world: World,
    calls: Calls,
    options: Arc<HostOptions>,
    /// The argument that chooses the first port.
    option: &'static str,
    /// Whether it was said that a request was refused.
    warned: Arc<AtomicBool>,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    deployments: Vec<Served>,
    /// How many processes there were.
    processes: u32,
    down_until: Option<VirtualTime>,
    /// What says that the run is alive.
    answers: Tasks,
}

struct Served {
    place: Place,
    built: Built,
    /// The number of its process, from 1.
    process: u32,
    /// None while it is down.
    tasks: Option<Tasks>,
    /// While it is down, its port: nobody else gets it, and connections are refused.
    kept: Option<TcpSocket>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, event: Event) {
        self.calls.log.push(Seen::Event(event));
    }

    fn bind(&self, port: u16) -> std::io::Result<TcpSocket> {
        let _inside = self.runtime.enter();
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))?;
        Ok(socket)
    }

    fn listen(&self, port: u16) -> Result<(TcpListener, u16), LiveError> {
        let taken = |error| LiveError::Port { port, option: self.option, error };
        let socket = self.bind(port).map_err(taken)?;
        let _inside = self.runtime.enter();
        let listener = socket.listen(BACKLOG).map_err(taken)?;
        let port = listener.local_addr().map_err(taken)?.port();
        Ok((listener, port))
    }

    /// Has a port that was ours and refuses connections there; none if somebody else was faster.
    fn keep(&self, port: u16) -> Option<TcpSocket> {
        self.bind(port).ok()
    }

    fn add(&self, built: &Built, port: u16) -> Result<Place, LiveError> {
        let (listener, port) = self.listen(port)?;
        let mut all = self.all();
        all.processes += 1;
        let number = u32::try_from(all.deployments.len() + 1).expect("there are few of them");
        let place = Place { number, port };
        if number > 1 {
            self.record(Event::ProcessStarted { process: all.processes });
        }
        let tasks = Some(self.start(built, place, all.processes, listener));
        let built = built.clone();
        let served = Served { place, built, process: all.processes, tasks, kept: None };
        all.deployments.push(served);
        Ok(place)
    }

    /// Starts a process of a deployment.
    fn start(&self, built: &Built, place: Place, process: u32, listener: TcpListener) -> Tasks {
        let endpoint = {
            let _inside = self.runtime.enter();
            built.build(&self.world.for_process(process))
        };
        let host = Host {
            endpoint,
            deployment: place.number,
            calls: self.calls.clone(),
            options: Arc::clone(&self.options),
            warned: Arc::clone(&self.warned),
        };
        let tasks = Tasks::default();
        let handle = move |request| {
            let host = host.clone();
            async move { host.handle(request).await }
        };
        tasks.accept(&self.runtime, listener, handle);
        tasks
    }

    /// What was down is up again, unless it is to be down for longer.
    fn bring_up(self: &Arc<Self>) {
        let now = self.calls.log.clock().now();
        let mut all = self.all();
        if all.down_until.is_none_or(|until| until > now) {
            return;
        }
        let All { deployments, processes, .. } = &mut *all;
        let mut late = false;
        for one in deployments.iter_mut().filter(|one| one.tasks.is_none()) {
            let socket = one.kept.take().map_or_else(|| self.bind(one.place.port), Ok);
            match socket.and_then(|socket| socket.listen(BACKLOG)) {
                Ok(listener) => {
                    *processes += 1;
                    one.process = *processes;
                    self.record(Event::ProcessStarted { process: one.process });
                    one.tasks = Some(self.start(&one.built, one.place, one.process, listener));
                }
                Err(error) => {
                    late = true;
                    if !self.warned.swap(true, Ordering::Relaxed) {
                        let uri = one.place.uri();
                        complain(&format!("warning: {uri} cannot be had again yet: {error}"));
                    }
                }
            }
        }
        if !late {
            all.down_until = None;
            return;
        }
        let again = Arc::clone(self);
        #[expect(clippy::disallowed_methods, reason = "it ends with the services")]
        drop(self.runtime.spawn(async move {
            tokio::time::sleep(AGAIN).await;
            again.bring_up();
        }));
    }
}
