//! `~/.config/netlab/config.toml`. Comments and order survive changes.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::error::{FAILED, Failure, USAGE};

/// A named daemon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Its URL.
    pub(crate) host: String,
    /// For https: our certificate. Relative paths begin at the configuration's folder, `~/` at home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// For https: its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// For https: the authority of the daemon's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Content {
    current: Option<String>,
    contexts: BTreeMap<String, Context>,
}

/// The configuration, and the text it was read from.
#[derive(Debug, Default)]
pub(crate) struct Config {
    file: PathBuf,
    text: String,
    content: Content,
}

impl Config {
    /// Reads the file; one that does not exist is empty.
    ///
    /// # Errors
    /// Exit code 2, with line and column.
    pub(crate) fn read() -> Result<Self, Failure> {
        let Some(folder) = folder() else { return Ok(Self::default()) };
        let file = folder.join("config.toml");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            // Or HOME is somebody else's, as after setpriv(1): then there is none of ours either.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                String::new()
            }
            Err(error) => return Err(Failure::new(USAGE, format!("{}: {error}", file.display()))),
        };
        Self::parse(file, text)
    }

    fn parse(file: PathBuf, text: String) -> Result<Self, Failure> {
        let mut content: Content = toml_edit::de::from_str(&text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(&text);
            let (line, last) =
                (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or(before));
            let column = last.chars().count() + 1;
            let message = error.message().replace('\n', ", ");
            Failure::file(USAGE, &[format!("{}:{line}:{column}: {message}", file.display())])
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for context in content.contexts.values_mut() {
            for path in [&mut context.certificate, &mut context.key, &mut context.ca].into_iter().flatten() {
                *path = match (path.strip_prefix("~"), env::home_dir()) {
                    (Ok(rest), Some(home)) => home.join(rest),
                    _ => folder.join(&*path),
                };
            }
        }
        Ok(Self { file, text, content })
    }

    /// All contexts by name.
    pub(crate) fn contexts(&self) -> &BTreeMap<String, Context> {
        &self.content.contexts
    }

    /// The name of the current one.
    pub(crate) fn current(&self) -> Option<&str> {
        self.content.current.as_deref()
    }

    /// Writes the file with one change made to it.
    ///
    /// # Errors
    /// Exit code 1 where it cannot be written.
    pub(crate) fn change(&self, edit: impl FnOnce(&mut DocumentMut)) -> Result<(), Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::new(FAILED, format!("{}: {error}", self.file.display()));
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.ok_or_else(|| failed(&"neither HOME nor XDG_CONFIG_HOME says where it is"))?;
        let mut document: DocumentMut = self.text.parse().map_err(|error| failed(&error))?;
        edit(&mut document);
        let write = || -> io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            // Whoever reads meanwhile sees the old file or the new one.
            let new = self.file.with_extension(format!("toml.{}", std::process::id()));
            let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&new)?;
            file.write_all(document.to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.file)
        };
        write().map_err(|error| failed(&error))
    }
}

/// Makes a context, or gives an existing one what is new.
pub(crate) fn put(document: &mut DocumentMut, name: &str, context: &Context) {
    let contexts = document.entry("contexts").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(contexts) = contexts.as_table_like_mut() else { return };
    let entry = contexts.entry(name).or_insert_with(|| Item::Table(Table::new()));
    let Some(entry) = entry.as_table_like_mut() else { return };
    if !context.host.is_empty() {
        entry.insert("host", value(&context.host));
    }
    for (key, path) in [("certificate", &context.certificate), ("key", &context.key), ("ca", &context.ca)] {
        if let Some(path) = path {
            entry.insert(key, value(path.display().to_string()));
        }
    }
}

/// Takes a context away, and makes it no longer the current one.
pub(crate) fn remove(document: &mut DocumentMut, name: &str) {
    if let Some(contexts) = document.get_mut("contexts").and_then(Item::as_table_like_mut) {
        contexts.remove(name);
    }
    if document.get("current").and_then(Item::as_str) == Some(name) {
        document.remove("current");
    }
}

/// The folder of the configuration; `None` without a home.
pub(crate) fn folder() -> Option<PathBuf> {
    let set = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(".config"));
    Some(set.or_else(home)?.join("netlab"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Failure> {
        Config::parse("/c/config.toml".into(), text.to_owned())
    }

    #[test]
    fn paths_begin_at_the_file() {
        let config = parse("[contexts.a]\nhost = \"https://a\"\nkey = \"a.key\"\nca = \"/ca\"\n").unwrap();
        let context = &config.contexts()["a"];
        assert_eq!(context.key.as_deref(), Some(Path::new("/c/a.key")));
        assert_eq!(context.ca.as_deref(), Some(Path::new("/ca")));
        assert_eq!((context.certificate.as_ref(), config.current()), (None, None));
    }

    #[test]
    fn faults_have_their_place() {
        let fault = |text: &str| parse(text).unwrap_err().lines.concat();
        assert!(fault("[contexts.a]\nhost = 3\n").starts_with("/c/config.toml:2:8: invalid type"));
        assert!(fault("curent = \"a\"\n").starts_with("/c/config.toml:1:1: unknown field `curent`"));
        assert!(fault("[contexts.a]\nkey = \"x\"\n").starts_with("/c/config.toml:1:1: missing field `host`"));
        assert!(fault("\n  [contexts\n").starts_with("/c/config.toml:2:"));
    }

    #[test]
    fn changes_leave_the_rest_as_it_is() {
        let mut document: DocumentMut =
            "# mine\ncurrent = \"a\"\n\n[contexts.a] # here\nhost = \"ssh://a\"\n".parse().unwrap();
        let new = Context { host: "https://b".into(), key: Some("/k".into()), ..Context::default() };
        put(&mut document, "b", &new);
        put(&mut document, "a", &Context { ca: Some("/ca".into()), ..Context::default() });
        let text = "# mine\ncurrent = \"a\"\n\n[contexts.a] # here\nhost = \"ssh://a\"\nca = \"/ca\"\n\n[contexts.b]\nhost = \"https://b\"\nkey = \"/k\"\n";
        assert_eq!(document.to_string(), text);
        remove(&mut document, "a");
        assert_eq!(document.to_string().trim(), "[contexts.b]\nhost = \"https://b\"\nkey = \"/k\"");
    }
}
