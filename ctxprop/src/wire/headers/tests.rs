//! What the table says, and that nobody else says it another way.

use super::*;

#[test]
fn a_field_is_found_by_its_name_and_has_it() {
    for (index, name) in FIELDS.into_iter().enumerate() {
        for name in [name.to_owned(), name.to_ascii_uppercase()] {
            let field = Field::named(&name).unwrap();
            assert_eq!((field as usize, field.name()), (index, FIELDS[index]));
            assert_eq!(field.header(), FIELDS[index]);
            assert_eq!(field.row().name(), FIELDS[index]);
            assert_eq!(ALL[index], field);
            let row = field.row();
            let (group, by_default) = (field.group(), field.is_written_by_default());
            assert_eq!((row.group(), row.is_written_by_default()), (group, by_default));
        }
        assert_eq!(Field::named(&format!("{name}x")), None);
    }
    assert_eq!(Field::named(""), None);
}

#[test]
fn a_set_holds_what_was_put_in() {
    let mut set = FieldSet::default();
    assert_eq!(set.iter().next(), None);
    for field in ALL {
        set = set.with(field, true);
        assert!(set.has(field) && set.common(FieldSet::of(field.group())).has(field));
    }
    assert!(set.iter().eq(ALL));
    assert_eq!(set.with(Field::Baggage, false).iter().count(), ALL.len() - 1);
    let budgets = FieldSet::of(Group::Budget);
    assert!(budgets.iter().all(|field| field.row().group() == Group::Budget));
    assert!(budgets.iter().all(|field| field == Field::Deadline || field.row().relative.is_some()));
}

/// The table of the docs names each header once, as one that is written by default or on request.
#[test]
fn the_docs_have_the_same_table() {
    let docs = include_str!("../../../docs/wire.md");
    let (_, table) = docs.split_once("## The headers\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows: Vec<Vec<_>> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .map(|line| line.split(" | ").collect())
        .collect();
    for header in &HEADERS {
        let name = format!("`{}`", header.name());
        let found: Vec<_> = rows.iter().filter(|row| row[1].contains(&name)).collect();
        let [row] = found[..] else { panic!("{name} is in {} rows", found.len()) };
        let written = row.last().unwrap();
        assert_eq!(written.starts_with("yes"), header.is_written_by_default(), "{name}");
        assert_eq!(written.contains("self::Formats::send_"), !header.by_default, "{name}");
    }
}
