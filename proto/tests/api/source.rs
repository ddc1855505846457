//! `.proto` files as descriptors.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost_types::{FileDescriptorProto, FileDescriptorSet};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

/// The files of our own packages, with comments.
pub(crate) struct Api(pub(crate) Vec<FileDescriptorProto>);

fn own(set: FileDescriptorSet) -> Api {
    let own = |file: &FileDescriptorProto| !file.name().starts_with("google/");
    Api(set.file.into_iter().filter(own).collect())
}

/// All files below `netlab` in a folder.
pub(crate) fn compile(folder: &Path) -> Api {
    let mut files = Vec::new();
    find(&folder.join("netlab"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no .proto files below {}", folder.display());
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_source_info(true).include_imports(true).open_files(files).unwrap();
    own(compiler.file_descriptor_set())
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
}

/// One file of this name and text.
pub(crate) fn of_text(name: &str, text: &str) -> Api {
    struct One(String, String);
    impl FileResolver for One {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            if name == self.0 {
                File::from_source(name, &self.1)
            } else {
                Err(protox::Error::file_not_found(name))
            }
        }
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(One(name.to_owned(), text.to_owned()));
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_source_info(true).include_imports(true).open_file(name).unwrap();
    own(compiler.file_descriptor_set())
}
