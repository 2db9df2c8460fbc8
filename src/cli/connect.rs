//! The way to the cluster: flags and Helm's environment variables, and the runtime that requests run on.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

use super::args::Global;
use super::failure::{Failure, Fault, INTERRUPTED};
use crate::cluster::{Access, ClusterError};

/// How long a look at the cluster may take where no flag says it.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// How long requests may take, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// The flag `--timeout` of the command, or its default.
    Timeout(Duration),
    /// Nobody: the command has no such flag, and takes [`LOOK`].
    Look,
}

impl Limit {
    fn time(self) -> Duration {
        match self {
            Limit::Timeout(time) => time,
            Limit::Look => LOOK,
        }
    }

    /// The failure of requests that were not all answered in that time.
    fn over(self) -> Failure {
        let text = format!("the cluster did not answer everything within {} s", self.time().as_secs());
        let hint = match self {
            Limit::Timeout(_) => "give it more time with `--timeout`",
            Limit::Look => "try again when the API server has less to do",
        };
        Failure::Cluster(Fault::new(text, Some(hint)))
    }
}

/// Ten years: long enough for whoever waits until something ends it.
pub(super) const EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What flags and environment say of the way to the cluster; a flag wins.
pub(super) fn access(global: &Global, variable: &dyn Fn(&str) -> Option<String>) -> Access {
    let args = &global.access;
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let groups = || variable("HELM_KUBEASGROUPS").map(|list| list.split(',').map(str::to_owned).collect());
    // Of files that KUBECONFIG lists, those that are missing are passed over, as kubectl does.
    let listed = || {
        let list = variable("KUBECONFIG").unwrap_or_default();
        std::env::split_paths(&list).filter(|file| !file.as_os_str().is_empty() && file.exists()).collect()
    };
    Access {
        kubeconfig: global.kubeconfig.as_ref().map_or_else(listed, |file| vec![file.into()]),
        context: global.kube_context.clone().or_else(|| variable("HELM_KUBECONTEXT")),
        server: args.kube_apiserver.clone().or_else(|| variable("HELM_KUBEAPISERVER")),
        ca_file: args.kube_ca_file.clone().or_else(|| variable("HELM_KUBECAFILE")),
        server_name: args.kube_tls_server_name.clone().or_else(|| variable("HELM_KUBETLS_SERVER_NAME")),
        insecure: args.kube_insecure_skip_tls_verify.unwrap_or_else(|| {
            variable("HELM_KUBEINSECURE_SKIP_TLS_VERIFY").is_some_and(|text| switch(&text) == Ok(true))
        }),
        token: args.kube_token.clone().or_else(|| variable("HELM_KUBETOKEN")),
        user: args.kube_as_user.clone().or_else(|| variable("HELM_KUBEASUSER")),
        groups: if args.kube_as_group.is_empty() { groups().unwrap_or_default() } else { args.kube_as_group.clone() },
    }
}

/// The runtime that requests run on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::system("cannot start the network runtime", error))
}

/// Runs requests to their end, or until the time is over.
pub(super) fn within<T>(
    limit: Limit,
    requests: impl AsyncFnOnce(Instant, &watch::Receiver<bool>) -> Result<T, ClusterError>,
) -> Result<T, Failure> {
    // Nothing is written that would have to be told: a signal ends the process.
    let (_running, stop) = watch::channel(false);
    runtime()?.block_on(async {
        // A request that gets no answer has ended by then, and has said so.
        let all = limit.time() + Duration::from_secs(1);
        match tokio::time::timeout(all, requests(Instant::now() + limit.time(), &stop)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(limit.over()),
        }
    })
}

/// Turns true at the first SIGINT or SIGTERM; the second one ends the process at once.
pub(super) fn stop() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    // From here on, not from when the task first runs.
    let signals = signal(SignalKind::terminate()).and_then(|one| Ok((one, signal(SignalKind::interrupt())?)));
    tokio::spawn(async move {
        let Ok((mut terminated, mut interrupted)) = signals else { return std::future::pending().await };
        let mut either = async || {
            let (one, other) = (Box::pin(terminated.recv()), Box::pin(interrupted.recv()));
            futures_util::future::select(one, other).await;
        };
        either().await;
        sender.send_replace(true);
        either().await;
        std::process::exit(i32::from(INTERRUPTED));
    });
    receiver
}

/// Does the work; none when it is stopped first.
pub(super) async fn unless<T>(stop: &watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    let mut stop = stop.clone();
    let (work, stopped) = (Box::pin(work), Box::pin(stop.wait_for(|stop| *stop)));
    match futures_util::future::select(work, stopped).await {
        futures_util::future::Either::Left((done, _)) => Some(done),
        futures_util::future::Either::Right(_) => None,
    }
}

/// The failure of a command that the cluster, or the way to it, has failed.
pub(super) fn failure(error: &ClusterError) -> Failure {
    let message = match (error, std::error::Error::source(error)) {
        // A record's own error says which one, its source why.
        (ClusterError::Record(_), Some(why)) => format!("{error}: {why}"),
        _ => error.to_string(),
    };
    let fault = Fault { message, place: None, hint: error.hint() };
    match error {
        // What is to be recorded is the user's: values that are too large.
        ClusterError::Record(error) if error.is_input() => Failure::Input(vec![fault]),
        // As where the context is only asked for its namespace.
        ClusterError::Context { .. } | ClusterError::Kubeconfig { .. } => Failure::Input(vec![fault]),
        error if error.is_refusal() => Failure::Refused(vec![fault]),
        _ => Failure::Cluster(fault),
    }
}

/// Reads what Go takes for true or false.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write `true` or `false`".into()),
    }
}

/// Reads a duration as Go and Helm write it: `5m0s`, `1h`, `500ms`, `1.5s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write it as in `5m0s`");
    if text.strip_prefix('-').is_some_and(|rest| duration(rest).is_ok()) {
        return Err("a duration is not negative".into());
    }
    let (mut rest, mut total) = (text, 0.0);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(digits);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, after) = unit.split_at(end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = after;
    }
    // Whatever is longer never ends; no clock has to count so far.
    Duration::try_from_secs_f64(total.min(EVER.as_secs_f64())).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_flag_is_told_to_give_more_time() {
        let hint = |limit: Limit| match limit.over() {
            Failure::Cluster(fault) => (fault.message, fault.hint.unwrap()),
            other => panic!("{other:?}"),
        };
        let text = |seconds: u64| format!("the cluster did not answer everything within {seconds} s");
        let (message, told) = hint(Limit::Timeout(Duration::from_secs(5)));
        assert_eq!((message, told.as_str()), (text(5), "give it more time with `--timeout`"));
        let (message, told) = hint(Limit::Look);
        assert_eq!(message, text(60));
        assert!(!told.contains("--"), "{told}");
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in
            [("5m0s", 300_000), ("1h", 3_600_000), ("500ms", 500), ("1.5s", 1500), ("0s", 0), ("1h2m3s", 3_723_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["1000000h", "99999999999999999999h", "5000000000000000000s1h"] {
            assert_eq!(duration(text), Ok(EVER), "{text}");
        }
        for text in ["", "5", "s", "5x", "-1s", "1..2s", "1e999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
