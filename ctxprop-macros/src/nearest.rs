//! "did you mean": the known name that is nearest to an unknown one.

/// ``; did you mean `budget`?`` where one of `known` is so near that a slip of the finger explains it.
pub(crate) fn hint(unknown: &str, known: &[&str]) -> Option<String> {
    let (distance, nearest) = known.iter().map(|known| (distance(unknown, known), known)).min()?;
    (distance <= nearest.len() / 3).then(|| format!("; did you mean `{nearest}`?"))
}

/// How many characters must be inserted, removed, replaced or swapped with the next one to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                let before: &Vec<usize> = &before;
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood() {
        let known = ["budget", "span", "unwind", "boxed"];
        for slip in ["bugdet", "budgets", "buget"] {
            assert_eq!(hint(slip, &known).as_deref(), Some("; did you mean `budget`?"));
        }
        for other in ["box", "timeout", ""] {
            assert_eq!(hint(other, &known), None);
        }
        assert_eq!(hint("budget", &[]), None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abcd", "acbd"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
