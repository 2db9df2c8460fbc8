//! The gates of the templates' routes: none can be changed, removed or shut without a route that is found to be wrong.

use r8::templates::{Catalog, File};

use super::{by_the_controller, effective, reference, rendered_with, traffic};

/// Whether a catalog gives a wrong route, or none, for two or three versions.
fn is_found_out(catalog: &Catalog) -> bool {
    for environment in catalog.environments() {
        for strategy in environment.strategies.iter().filter(|strategy| *strategy != "none") {
            let most = if strategy == "mirror" { 2 } else { 3 };
            for wanted in (2..=most).map(|versions| [50, 30, 20][..versions].to_vec()) {
                let Ok(rendered) = rendered_with(catalog, &environment.name, strategy, &wanted) else { return true };
                let route = rendered.route.unwrap();
                for subset in 0..1_u32 << wanted.len() {
                    let ready: Vec<bool> = (0..wanted.len()).map(|index| subset & 1 << index != 0).collect();
                    let weights = route.in_force(|index| ready[index]);
                    if route.at(&weights).is_err() {
                        return true;
                    }
                    let object = by_the_controller(&route, &weights);
                    let name = environment.name.as_str();
                    let expected = reference(name, strategy, &effective(name, strategy, &wanted), &ready);
                    let found = std::panic::catch_unwind(|| traffic(&object));
                    if found.map_or(true, |found| found != expected) {
                        return true;
                    }
                }
            }
        }
    }
    false
}

/// Takes the gate that begins in line `at` away and keeps what it guards, or shuts it for good.
fn without_gate(text: &str, at: usize, shut: bool) -> String {
    let mut depth = 0;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let begins = line.starts_with("{% call when(");
        let ends = line.starts_with("{% endcall %}");
        if number == at {
            depth = 1;
            if shut {
                lines.push("{% call when([]) %}");
            }
            continue;
        }
        if depth > 0 {
            depth += usize::from(begins);
            depth -= usize::from(ends);
            if depth == 0 && ends && number > at && !shut {
                continue;
            }
        }
        lines.push(line);
    }
    lines.join("\n") + "\n"
}

/// What a gate can be changed to without being removed or shut: the versions that it looks at are others.
fn other_gates(line: &str, file: &str) -> Vec<String> {
    let versions = line.strip_prefix("{% call when(").and_then(|line| line.strip_suffix(") %}")).unwrap();
    let all = ["[primary]", "candidates", "[candidates[0]]", "[candidates[-1]]", "versions"];
    let others = all.into_iter().filter(|other| *other != versions);
    // A mirror has one candidate: whichever way it is named, it is the same.
    let others = others.filter(|other| !file.contains("mirror") || !other.contains("candidates"));
    others.map(|other| format!("{{% call when({other}) %}}")).collect()
}

#[test]
fn no_gate_of_any_template_can_be_changed_unnoticed() {
    std::panic::set_hook(Box::new(|_| {}));
    let mut unnoticed = Vec::new();
    let mut tried = 0;
    for file in Catalog::embedded().files() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("{% call when(")) {
            for other in other_gates(line, &file.path) {
                let mut lines = lines.clone();
                lines[number] = &other;
                let changed = File { path: file.path.clone(), text: lines.join("\n") + "\n" };
                tried += 1;
                if !is_found_out(&Catalog::embedded().with_files(vec![changed]).unwrap()) {
                    unnoticed.push(format!("{}:{} {line} as {other}", file.path, number + 1));
                }
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(tried >= 60, "{tried} changes were tried");
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[test]
fn no_gate_of_any_template_can_be_removed_or_shut_unnoticed() {
    assert!(!is_found_out(&Catalog::embedded()));
    std::panic::set_hook(Box::new(|_| {}));
    let mut unnoticed = Vec::new();
    let mut tried = 0;
    for file in Catalog::embedded().files() {
        for (number, line) in file.text.lines().enumerate() {
            if !line.starts_with("{% call when(") {
                continue;
            }
            for shut in [false, true] {
                let text = without_gate(&file.text, number, shut);
                let changed = File { path: file.path.clone(), text };
                tried += 1;
                if !is_found_out(&Catalog::embedded().with_files(vec![changed]).unwrap()) {
                    unnoticed.push(format!("{}:{} shut: {shut}", file.path, number + 1));
                }
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(tried >= 36, "{tried} changes were tried");
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
