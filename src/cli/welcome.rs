//! What r8 says to one who has typed its name alone.

/// The commands that a newcomer needs.
#[cfg(feature = "cluster")]
pub(super) const TEXT: &str = "\
r8 makes safe progressive releases of models and services on Kubernetes from one values file

  r8 render -f values.yaml         print the manifests, without a cluster
  r8 diff wisdom -f values.yaml    show what would change, and how traffic would move
  r8 apply wisdom -f values.yaml   make it so: traffic moves only onto what is ready

`r8 --help` shows all commands and flags, `r8 help COMMAND` those of one
";

/// The commands that a newcomer needs, without a cluster.
#[cfg(not(feature = "cluster"))]
pub(super) const TEXT: &str = "\
r8 renders safe progressive releases of models and services on Kubernetes from one values file

  r8 validate values.yaml          check the values
  r8 render -f values.yaml         print the manifests
  r8 templates list                list environments and strategies

`r8 --help` shows all commands and flags, `r8 help COMMAND` those of one
";
