//! `templates`: what is embedded, and a copy of it to change.

use std::path::Path;

use super::args::Templates;
use super::failure::Failure;
use super::request::catalog;
use crate::templates::Catalog;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(args: &Templates) -> Result<String, Failure> {
    match args {
        Templates::List { templates } => Ok(list(&catalog(templates.as_deref())?)),
        Templates::Show { place, templates } => show(&catalog(templates.as_deref())?, place),
        Templates::Eject { folder, force } => eject(&Catalog::embedded(), folder, *force),
    }
}

fn list(catalog: &Catalog) -> String {
    let rows: Vec<[String; 3]> = std::iter::once(["ENVIRONMENT", "STRATEGIES", "PURPOSE"].map(str::to_owned))
        .chain(catalog.environments().into_iter().map(|row| [row.name, row.strategies.join(","), row.doc]))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row.get(column).map_or(0, String::len)).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    rows.iter().map(|[name, strategies, doc]| format!("{name:first$}   {strategies:second$}   {doc}\n")).collect()
}

fn show(catalog: &Catalog, place: &str) -> Result<String, Failure> {
    let Some((environment, strategy)) = place.split_once('/') else {
        return Err(Failure::Usage {
            message: format!("`{place}` is no ENVIRONMENT/STRATEGY"),
            hint: Some("write it as in `kserve/canary`; `r8 templates list` prints them".into()),
        });
    };
    let files = catalog.show(environment, strategy).map_err(Failure::Templates)?;
    Ok(files.iter().map(|file| format!("# r8/templates/{}\n{}\n", file.path, file.text)).collect())
}

fn eject(catalog: &Catalog, folder: &str, force: bool) -> Result<String, Failure> {
    let files = catalog.files();
    let path = |file: &str| Path::new(folder).join(file);
    let there: Vec<&str> = files.iter().map(|file| file.path.as_str()).filter(|file| path(file).exists()).collect();
    if !there.is_empty() && !force {
        return Err(Failure::Usage {
            message: format!("`{folder}` already has {}", there.join(", ")),
            hint: Some("choose another folder, or overwrite them with `--force`".into()),
        });
    }
    for file in &files {
        let path = path(&file.path);
        let failed = |error| Failure::System { doing: format!("cannot write {}", path.display()), error };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        std::fs::write(&path, &file.text).map_err(failed)?;
    }
    Ok(format!("wrote {} files to {folder}\n", files.len()))
}
