//! Puts a dependency into a Cargo.toml, as a line among the others, so that the rest stays as it is.

/// The text with the dependency `name` in `[dependencies]`, or nothing if it is there.
pub(crate) fn with_dependency(text: &str, name: &str, value: &str) -> Option<String> {
    let line = format!("{name} = {value}\n");
    let mut at = None;
    let mut inside = false;
    let mut offset = 0;
    for row in text.split_inclusive('\n') {
        let trimmed = row.trim();
        if trimmed.starts_with('[') {
            if let Some(header) = header(trimmed) {
                if header == format!("dependencies.{name}") {
                    return None;
                }
                inside = header == "dependencies";
                if inside {
                    at = Some(offset + row.len());
                }
            }
        } else if inside && let Some(key) = key(row) {
            if key == name {
                return None;
            }
            if key < name {
                // behind it, and behind the lines that its value goes on over
                at = Some(offset + row.len() + rest_of_value(&text[offset..], row));
            }
        }
        offset += row.len();
    }
    let mut changed = text.to_owned();
    match at {
        Some(at) => {
            let line = if changed[..at].ends_with('\n') { line } else { format!("\n{line}") };
            changed.insert_str(at, &line);
        }
        None => {
            if !changed.ends_with('\n') {
                changed.push('\n');
            }
            changed.push_str("\n[dependencies]\n");
            changed.push_str(&line);
        }
    }
    Some(changed)
}

fn header(row: &str) -> Option<String> {
    let end = row.find(']')?;
    Some(row.get(1..end)?.trim().replace(['"', '\''], ""))
}

/// The first name of a line `name = ..` or `name.workspace = ..` that is not indented.
fn key(row: &str) -> Option<&str> {
    let end = row.find(['=', '.'])?;
    let key = row.get(..end)?.trim_end().trim_matches('"');
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!key.is_empty() && key.chars().all(is_name)).then_some(key)
}

/// How many bytes of the lines behind `row` belong to its value.
fn rest_of_value(from: &str, row: &str) -> usize {
    let depth = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        let open = line.matches(['[', '{']).count();
        open.cast_signed() - line.matches([']', '}']).count().cast_signed()
    };
    let (mut open, mut length) = (depth(row), 0);
    for line in from[row.len()..].split_inclusive('\n') {
        if open <= 0 {
            break;
        }
        open += depth(line);
        length += line.len();
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_where_the_alphabet_has_it() {
        let text = "[package]\nname = \"a\"\n\n[dependencies]\nbytes = \"1\"\n# of clap\nclap = { version = \"4\", features = [\n  \"derive\",\n] }\ntokio.workspace = true\n\n[dev-dependencies]\nctxprop = \"9\"\n";
        let changed = with_dependency(text, "ctxprop", "\"0.1\"").expect("it is not there");
        assert!(changed.contains("] }\nctxprop = \"0.1\"\ntokio.workspace"), "{changed}");
        assert_eq!(with_dependency(&changed, "ctxprop", "\"0.1\""), None);
    }

    #[test]
    fn a_table_is_made_where_there_is_none() {
        let changed = with_dependency("[package]\nname = \"a\"", "ctxprop", "\"0.1\"");
        assert_eq!(
            changed.as_deref(),
            Some("[package]\nname = \"a\"\n\n[dependencies]\nctxprop = \"0.1\"\n")
        );
        let there = "[dependencies.ctxprop]\nversion = \"0.1\"\n";
        assert_eq!(with_dependency(there, "ctxprop", "\"0.1\""), None);
    }
}
