//! A control plane of `tests/control-plane`, started for a test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts the program; gives it, to end with its input, and the path of its kubeconfig.
pub fn start(program: &Path, more: &[&OsStr]) -> Result<(Child, String), String> {
    let mut child = Command::new(program)
        .arg("--until-eof")
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the control plane does not start: {error}"))?;
    let mut line = String::new();
    let output = child.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut line).map_err(|error| format!("the control plane: {error}"))?;
    let kubeconfig = line.trim().strip_prefix("export KUBECONFIG=");
    let kubeconfig = kubeconfig.ok_or("the control plane ended before it was ready; its own error stands above")?;
    Ok((child, kubeconfig.to_owned()))
}
