//! The layers of `src`: a file imports only from layers below its own, and no files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Item, UseTree};

/// The page that lists the layers from the top down, so that the page and the code cannot differ.
const PAGE: &str = include_str!("../../docs/architecture.md");

/// The segments of a path, such as `["crate", "db", "Error"]`.
type Segments = Vec<String>;

/// A module with a file of its own.
#[derive(Default)]
struct Module {
    imports: Vec<Import>,
    /// The paths in its code, including macros and attributes.
    paths: Vec<Segments>,
    /// A file without code is a facade: it only declares modules and re-exports their names.
    has_code: bool,
}

/// A name that a `use` declares.
struct Import {
    path: Segments,
    name: String,
}

/// Modules by their paths, without `crate`.
type Modules = BTreeMap<Segments, Module>;
/// The modules that each module's file imports from.
type Graph<'a> = BTreeMap<&'a Segments, BTreeSet<Segments>>;

#[test]
fn imports_go_down_the_layers_and_never_in_circles() {
    let modules = modules(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../service/src"
    )));
    let imports = imports_by_file(&modules);
    assert!(imports.len() > 50, "the files are found: {}", imports.len());
    let layers = layers(PAGE);
    let folders: BTreeSet<_> = imports.keys().map(|path| path[0].as_str()).collect();
    let listed: BTreeSet<_> = layers.iter().flatten().copied().collect();
    assert_eq!(listed, folders, "docs/architecture.md lists what there is");
    let faults: Vec<_> = upward_imports(&imports, &layers)
        .into_iter()
        .chain(circles(&imports))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn imports_by_file(modules: &Modules) -> Graph<'_> {
    let files = modules.iter().filter(|(_, module)| module.has_code);
    files
        .map(|(path, module)| {
            let imports = module.imports.iter().map(|import| &import.path);
            let targets = imports
                .chain(&module.paths)
                .filter_map(|target| origin(modules, path, target))
                .filter(|target| target != path && modules[target].has_code);
            (path, targets.collect())
        })
        .collect()
}

/// The layers, each with its modules, from the first block of text below the page's heading. A line has the names of a
/// layer's modules and, after two spaces, its purpose.
fn layers(page: &str) -> Vec<Vec<&str>> {
    let section = page.split("\n## Layers\n").nth(1).expect("the heading");
    let block = section.split("```text\n").nth(1).expect("the block");
    let lines = block.lines().take_while(|line| *line != "```");
    lines
        .filter_map(|line| line.split_once("  "))
        .map(|(names, _)| names.split(", ").collect())
        .collect()
}

fn upward_imports(imports: &Graph<'_>, layers: &[Vec<&str>]) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    for (from, targets) in imports {
        let Some(layer) = layer(layers, from) else {
            faults.insert(format!("{} belongs to no layer", from[0]));
            continue;
        };
        let upward = targets.iter().filter(|to| from[0] != to[0]);
        let upward =
            upward.filter(|to| self::layer(layers, to).is_some_and(|other| other <= layer));
        faults.extend(upward.map(|to| {
            format!(
                "{} imports {}, which is not below it",
                from.join("::"),
                to.join("::")
            )
        }));
    }
    faults
}

/// The position of a module's layer.
fn layer(layers: &[Vec<&str>], path: &Segments) -> Option<usize> {
    let is_layer = |modules: &Vec<&str>| modules.contains(&path[0].as_str());
    layers.iter().position(is_layer)
}

/// A cycle of each strongly connected set of imports inside a folder.
fn circles(imports: &Graph<'_>) -> Vec<String> {
    let mut visited = BTreeSet::new();
    imports
        .keys()
        .filter_map(|start| follow(imports, start, &mut Vec::new(), &mut visited))
        .collect()
}

fn follow<'a>(
    imports: &'a Graph<'_>,
    path: &'a Segments,
    trail: &mut Vec<&'a Segments>,
    visited: &mut BTreeSet<&'a Segments>,
) -> Option<String> {
    if let Some(begin) = trail.iter().position(|passed| *passed == path) {
        let names = trail[begin..]
            .iter()
            .chain([&path])
            .map(|path| path.join("::"));
        return Some(format!(
            "a circle: {}",
            names.collect::<Vec<_>>().join(" -> ")
        ));
    }
    if visited.contains(path) {
        return None;
    }
    trail.push(path);
    let targets = imports.get(path).into_iter().flatten();
    let mut targets = targets.filter(|target| target[0] == path[0]);
    let found = targets.find_map(|target| follow(imports, target, trail, visited));
    trail.pop();
    visited.insert(path);
    found
}

/// The module whose file defines what a path in `from` names; `None` if that is in another crate.
fn origin(modules: &Modules, from: &Segments, path: &[String]) -> Option<Segments> {
    let (first, rest) = path.split_first()?;
    let within = |base: &[String], rest: &[String]| definition(modules, base.to_vec(), rest);
    match first.as_str() {
        "crate" => within(&[], rest),
        "self" => within(from, rest),
        "super" => within(from.split_last()?.1, rest),
        _ if modules.contains_key(&[from.as_slice(), std::slice::from_ref(first)].concat()) => {
            within(from, path)
        }
        _ => {
            // The name of a module that the file imports.
            let imports = modules[from].imports.iter();
            let mut named =
                imports.filter(|import| import.name == *first && import.path[0] != *first);
            let import = named.next().filter(|_| !rest.is_empty())?;
            origin(modules, from, &[import.path.as_slice(), rest].concat())
        }
    }
}

/// Follows a path from a module down to the file that defines it, through what modules import from others.
fn definition(modules: &Modules, mut base: Segments, path: &[String]) -> Option<Segments> {
    for (index, segment) in path.iter().enumerate() {
        if segment == "super" {
            base.pop();
            continue;
        }
        let child = [base.as_slice(), std::slice::from_ref(segment)].concat();
        if modules.contains_key(&child) {
            base = child;
            continue;
        }
        let module = modules.get(&base)?;
        let import = module.imports.iter().find(|import| import.name == *segment);
        return match import {
            Some(import) => origin(
                modules,
                &base,
                &[import.path.as_slice(), &path[index + 1..]].concat(),
            ),
            None => Some(base),
        };
    }
    Some(base)
}

/// Reads the modules of a crate, except those of tests.
fn modules(source: &Path) -> Modules {
    let mut modules = Modules::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let file = entry.expect("an entry").path();
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let path = module_path(file.strip_prefix(source).expect("below the source"));
                if !path
                    .last()
                    .is_some_and(|name| ["main", "tests"].contains(&name.as_str()))
                {
                    modules.insert(path, read(&file));
                }
            }
        }
    }
    modules
}

fn module_path(file: &Path) -> Segments {
    let path = file.with_extension("");
    let names = path.iter().map(|name| name.to_string_lossy().into_owned());
    names
        .filter(|name| !["lib", "mod"].contains(&name.as_str()))
        .collect()
}

fn read(file: &Path) -> Module {
    let text = fs::read_to_string(file).expect("text");
    let syntax = syn::parse_file(&text).expect("Rust");
    let mut module = Module::default();
    for item in &syntax.items {
        match item {
            _ if is_of_tests(item) => {}
            Item::Use(import) => module.import(&mut Vec::new(), &import.tree),
            Item::Mod(child) if child.content.is_none() => {}
            _ => {
                module.has_code = true;
                module.find_paths(item.to_token_stream());
            }
        }
    }
    module
}

fn is_of_tests(item: &Item) -> bool {
    let (Item::Mod(syn::ItemMod { attrs, .. })
    | Item::Fn(syn::ItemFn { attrs, .. })
    | Item::Impl(syn::ItemImpl { attrs, .. })
    | Item::Use(syn::ItemUse { attrs, .. })) = item
    else {
        return false;
    };
    let is_of_tests = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    };
    attrs.iter().any(is_of_tests)
}

impl Module {
    fn import(&mut self, path: &mut Segments, tree: &UseTree) {
        let mut add = |path: &[String], name: String| {
            let path = path.to_vec();
            self.imports.push(Import { path, name });
        };
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(path, &part.tree);
                path.pop();
            }
            UseTree::Name(last) if last.ident == "self" => {
                add(path, path.last().cloned().unwrap_or_default());
            }
            UseTree::Name(last) => {
                let name = last.ident.to_string();
                add(
                    &[path.as_slice(), std::slice::from_ref(&name)].concat(),
                    name,
                );
            }
            UseTree::Rename(last) => {
                let original = last.ident.to_string();
                add(
                    &[path.as_slice(), &[original]].concat(),
                    last.rename.to_string(),
                );
            }
            UseTree::Glob(_) => add(path, "*".to_owned()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(path, tree)),
        }
    }

    /// Collects every path of more than one segment, also from macros and from the strings of attributes.
    fn find_paths(&mut self, tokens: TokenStream) {
        let mut path = Segments::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(segment) => {
                    path.push(segment.to_string());
                    let mut next = tokens.clone();
                    let mut is_colon = || match next.next() {
                        Some(TokenTree::Punct(mark)) => mark.as_char() == ':',
                        _ => false,
                    };
                    if is_colon() && is_colon() {
                        tokens.nth(1);
                        continue;
                    }
                }
                TokenTree::Group(group) => self.find_paths(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if let Some(text) = text.strip_prefix("\"crate::") {
                        let names = text.trim_end_matches('"').split("::").map(str::to_owned);
                        self.paths
                            .push(["crate".to_owned()].into_iter().chain(names).collect());
                    }
                }
                TokenTree::Punct(_) => {}
            }
            if path.len() > 1 {
                self.paths.push(path.clone());
            }
            path.clear();
        }
    }
}
