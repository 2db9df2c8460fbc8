//! Credentials that do not stand in the kubeconfig: of a plugin, of a file; and those that no request can carry.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use http::HeaderValue;
use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::manifest::read_documents;

/// The most that a plugin's output is read of.
const MOST: u64 = 1 << 20;
/// How often it is asked whether a plugin that has said all is over.
const PAUSE: Duration = Duration::from_millis(5);

/// Where credentials come from.
#[derive(Clone)]
pub(super) enum Source {
    /// A program that prints them.
    Plugin(Box<ExecConfig>),
    /// A file with a bearer token.
    File(String),
}

/// Credentials as they are now.
pub(super) struct Fetched {
    /// The user with them.
    pub user: AuthInfo,
    /// When they are worth nothing any more; none where that is not known.
    pub expires: Option<Timestamp>,
}

impl Source {
    /// Takes it out of a user's credentials; none where they stand there themselves, or another kind comes first.
    pub fn take(user: &mut AuthInfo) -> Option<Source> {
        let own = user.auth_provider.is_some() || user.username.is_some() && user.password.is_some();
        if own || user.token.is_some() {
            return None;
        }
        let file = user.token_file.take().map(Source::File);
        file.or_else(|| user.exec.take().map(|plugin| Source::Plugin(Box::new(plugin))))
    }

    /// Fetches them for a user, until `end`.
    ///
    /// # Errors
    ///
    /// What is wrong, with the plugin or the file that it is wrong with; never what a plugin prints, which may be a token.
    pub async fn fetch(&self, user: &AuthInfo, end: Instant) -> Result<Fetched, String> {
        match self {
            Source::File(path) => {
                let wrong = |why: &str| format!("token file `{path}`: {why}");
                let text = std::fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?;
                let token = match text.trim() {
                    "" => return Err(wrong("it is empty")),
                    token => token,
                };
                check(token).map_err(|why| wrong(&format!("its token {why}")))?;
                Ok(Fetched { user: AuthInfo { token: Some(token.into()), ..user.clone() }, expires: None })
            }
            Source::Plugin(plugin) => {
                let name = plugin.command.as_deref().unwrap_or_default();
                let began = Instant::now();
                let wrong = |why: String| format!("plugin `{name}`: {why}");
                match timeout_at(end, ask(plugin)).await {
                    Ok(answer) => answer.and_then(|answer| read(&answer, user)).map_err(wrong),
                    Err(_) => {
                        let seconds = began.elapsed().as_secs_f64().round();
                        Err(wrong(format!("it has printed nothing within {seconds} s")))
                    }
                }
            }
        }
    }
}

/// Checks that a request can carry the credentials that stand in the kubeconfig.
///
/// # Errors
///
/// What is wrong with them.
pub(super) fn check_own(user: &AuthInfo) -> Result<(), String> {
    // The type of the token lets itself only be written out.
    let written = serde_json::to_value(user).unwrap_or_default();
    let provider = &written["auth-provider"]["config"];
    for token in [&written["token"], &provider["id-token"], &provider["access-token"]] {
        check(token.as_str().unwrap_or_default()).map_err(|why| format!("the bearer token {why}"))?;
    }
    Ok(())
}

fn check(token: &str) -> Result<(), &'static str> {
    match HeaderValue::try_from(format!("Bearer {token}")) {
        Ok(_) => Ok(()),
        Err(_) if token.ends_with('\n') => Err("ends with a line break"),
        Err(_) => Err("holds a line break or another control character"),
    }
}

/// What a plugin has answered, as a user's credentials.
fn read(answer: &Value, user: &AuthInfo) -> Result<Fetched, String> {
    let status = answer.get("status").filter(|status| status.is_object());
    let Some(status) = status else { return Err("its answer has no `status`".into()) };
    let text = |key: &str| status[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let expires = text("expirationTimestamp").map(|time| time.parse::<Timestamp>());
    let expires = expires.transpose().map_err(|_| "its `expirationTimestamp` is no time".to_owned())?;
    let mut user = user.clone();
    if let Some(token) = text("token") {
        check(&token).map_err(|why| format!("its token {why}"))?;
        user.token = Some(token.into());
    }
    if let (Some(certificate), Some(key)) = (text("clientCertificateData"), text("clientKeyData")) {
        let packed = |text: String| serde_json::to_value(ByteString(text.into_bytes())).unwrap_or_default();
        let packed = |text| packed(text).as_str().unwrap_or_default().to_owned();
        user.client_certificate_data = Some(packed(certificate));
        user.client_key_data = Some(packed(key).into());
    }
    Ok(Fetched { user, expires })
}

/// A running plugin, which does not outlive who waits for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a plugin to its end; gives what it prints.
async fn ask(plugin: &ExecConfig) -> Result<Value, String> {
    let Some(command) = &plugin.command else { return Err("it has no command".into()) };
    let interactive = plugin.interactive_mode != Some(ExecInteractiveMode::Never);
    let mut spec = json!({"interactive": interactive});
    if plugin.provide_cluster_info {
        spec["cluster"] = serde_json::to_value(&plugin.cluster).unwrap_or_default();
    }
    let request = json!({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec});
    let mut command = Command::new(command);
    command.args(plugin.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", request.to_string());
    for variable in plugin.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command.stdout(Stdio::piped());
    // Who is asked to log in must see the question.
    let own = || if interactive { Stdio::inherit() } else { Stdio::null() };
    command.stdin(own()).stderr(if interactive { own() } else { Stdio::piped() });
    let mut running = Running(command.spawn().map_err(|error| error.to_string())?);
    let (printed, said) = (piped(running.0.stdout.take()), piped(running.0.stderr.take()));
    let (printed, said) = (printed.await.unwrap_or_default(), said.await.unwrap_or_default());
    let status = loop {
        match running.0.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None => sleep(PAUSE).await,
        }
    };
    if !status.success() {
        return Err(failed(&said, status));
    }
    let documents =
        read_documents(&String::from_utf8_lossy(&printed)).map_err(|_| "its answer is no JSON".to_owned())?;
    Ok(documents.into_iter().next().unwrap_or_default())
}

/// Everything that comes out of a pipe. A thread of its own reads it: a pipe that something left behind holds open must not
/// keep the runtime.
fn piped(pipe: Option<impl Read + Send + 'static>) -> oneshot::Receiver<Vec<u8>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST).read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}

fn failed(said: &[u8], status: ExitStatus) -> String {
    let said = String::from_utf8_lossy(said);
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{} ({status})", line.trim()),
        None => format!("it fails ({status})"),
    }
}
