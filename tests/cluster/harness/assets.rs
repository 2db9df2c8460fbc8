//! `kube-apiserver` and `etcd` as programs of a folder, without controllers.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Cluster, Origin, PATIENCE};

/// Starts both, and ends both when its input ends; then removes the folder of their data.
///
/// A background process of a shell ignores SIGINT, and so must the shell, to see the end of its input. The data is not
/// wanted any more: nothing has to end in order, which takes the server long without its etcd.
const SUPERVISOR: &str = r#"
trap '' INT
programs=$1 data=$2 etcd_port=$3 peer_port=$4 port=$5
"$programs/etcd" --data-dir "$data/etcd" --unsafe-no-fsync --log-level error \
  --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
  --listen-peer-urls "http://127.0.0.1:$peer_port" >"$data/etcd.log" 2>&1 &
etcd=$!
"$programs/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" --cert-dir "$data/certificates" \
  --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$port" --endpoint-reconciler-type none \
  --service-account-issuer https://r8.test --service-account-key-file "$data/certificates/apiserver.key" \
  --service-account-signing-key-file "$data/certificates/apiserver.key" --token-auth-file "$data/tokens.csv" \
  --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/24 --disable-admission-plugins ServiceAccount \
  >"$data/kube-apiserver.log" 2>&1 &
server=$!
cat >/dev/null
kill -KILL "$server" "$etcd"
wait
rm -rf "$data"
"#;

pub(super) fn start(programs: &Path) -> Result<Cluster, String> {
    for name in ["etcd", "kube-apiserver"] {
        if !programs.join(name).is_file() {
            return Err(format!("KUBEBUILDER_ASSETS: {} has no {name}", programs.display()));
        }
    }
    let ports = free_ports().map_err(|error| format!("no free port: {error}"))?;
    let data = tempfile::Builder::new().prefix("r8-assets-").tempdir().map_err(|error| error.to_string())?.keep();
    let kubeconfig = write(&data, ports[2]).map_err(|error| format!("{}: {error}", data.display()))?;
    let mut child = Command::new("sh")
        .args(["-c", SUPERVISOR, "sh"])
        .args([programs, &data])
        .args(ports.map(|port| port.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("sh does not start: {error}"))?;
    let cluster = Cluster { kubeconfig, origin: Origin::Assets, _input: child.stdin.take() };
    wait_until_it_listens(&data, ports[2])?;
    Ok(cluster)
}

/// Ports for etcd's clients, its peers and the API server. Another program may take one before they do: rare, and
/// told by their logs.
fn free_ports() -> std::io::Result<[u16; 3]> {
    let listeners =
        [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

/// Writes the token file and the kubeconfig, JSON being YAML.
fn write(data: &Path, port: u16) -> std::io::Result<PathBuf> {
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(data.join("tokens.csv"), format!("{token},admin,admin,system:masters\n"))?;
    let kubeconfig = data.join("kubeconfig");
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "assets", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": data.join("certificates/apiserver.crt"),
        }}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "admin", "context": {"cluster": "assets", "user": "admin"}}],
        "current-context": "admin",
    });
    std::fs::write(&kubeconfig, text.to_string())?;
    for file in ["tokens.csv", "kubeconfig"] {
        std::fs::set_permissions(data.join(file), std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(kubeconfig)
}

/// The server has written its certificate by then.
fn wait_until_it_listens(data: &Path, port: u16) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > end {
            return Err(format!(
                "kube-apiserver does not listen; its log is {}",
                data.join("kube-apiserver.log").display()
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
