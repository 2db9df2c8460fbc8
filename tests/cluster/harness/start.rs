//! Finds or starts the cluster.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Absence, Cluster, Origin, assets, client, crds};
use crate::control_plane;
use crate::parts::build;

pub(super) fn start() -> Result<Cluster, Absence> {
    if let Some(kubeconfig) = std::env::var_os("R8_TEST_KUBECONFIG") {
        let cluster = Cluster { kubeconfig: kubeconfig.into(), origin: Origin::Existing, _input: None };
        return install_crds(cluster).map_err(Absence::Failed);
    }
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        return assets::start(&PathBuf::from(folder)).and_then(install_crds).map_err(Absence::Failed);
    }
    let go = Command::new("go").arg("version").stdout(Stdio::null()).status();
    if !go.is_ok_and(|status| status.success()) {
        return Err(Absence::NoMeans);
    }
    let crds = crds::folder();
    own(&["--webhook".as_ref(), "--crds".as_ref(), crds.as_os_str()]).map_err(Absence::Failed)
}

/// A control plane of the test program's own.
pub(super) fn own(more: &[&OsStr]) -> Result<Cluster, String> {
    eprintln!("building tests/control-plane: minutes on first use, seconds later");
    let (mut child, kubeconfig) = control_plane::start(&build("control-plane", ".", "control-plane"), more)?;
    Ok(Cluster { kubeconfig: kubeconfig.into(), origin: Origin::ControlPlane, _input: child.stdin.take() })
}

/// On a thread of its own: whoever asks for the cluster is on a runtime already.
fn install_crds(cluster: Cluster) -> Result<Cluster, String> {
    let kubeconfig = cluster.kubeconfig.clone();
    let installed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async { crds::install(client(&kubeconfig, None).await).await })
    });
    installed.join().map_err(|_| "installing the CRDs panicked; see above".to_owned())??;
    Ok(cluster)
}
