//! Prepares the data that the binary embeds: the list of migrations, and the compressed files of the pages.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// The folder of the migrations, one file each: `NNNN_name.sql`.
const MIGRATIONS: &str = "migrations";
/// The folder of the pages, one folder each.
const PAGES: &str = "pages";
/// The folder of the inbox.
const INBOX: &str = "pages/inbox";
/// The files of Swagger UI's distribution that the reference needs.
const SWAGGER_UI: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={MIGRATIONS}");
    println!("cargo:rerun-if-changed={PAGES}");
    let out = std::env::var("OUT_DIR")?;
    let out = Path::new(&out);
    list_migrations(&out.join("migrations.rs"))?;
    for folder in fs::read_dir(PAGES)? {
        let folder = folder?;
        let into = out.join(folder.file_name());
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            write_compressed(&into, &name, &minified(&name, fs::read(file.path())?)?)?;
        }
    }
    list_inbox(&out.join("inbox.rs"))?;
    extract_swagger_ui(&out.join("docs"))
}

/// Writes the migrations as a Rust slice, in the order of their versions: version, name and SQL of each.
fn list_migrations(list: &Path) -> Result<(), Box<dyn Error>> {
    let mut migrations = Vec::new();
    for file in fs::read_dir(MIGRATIONS)? {
        let path = file?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let (version, name) = stem
            .split_once('_')
            .ok_or_else(|| format!("{}: must be NNNN_name.sql", path.display()))?;
        migrations.push((
            version.parse::<i64>()?,
            name.replace('_', " "),
            fs::read_to_string(&path)?,
        ));
    }
    migrations.sort();
    fs::write(list, format!("&{migrations:?}"))?;
    Ok(())
}

/// Writes the files of the inbox as a Rust slice, each as an invocation of `file!` in pages.rs.
fn list_inbox(list: &Path) -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for file in fs::read_dir(INBOX)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let content_type = match path.extension().and_then(OsStr::to_str) {
            Some("html") => "HTML",
            Some("css") => "CSS",
            Some("js") => "JavaScript",
            Some("svg") => "SVG",
            Some("webmanifest") => "(MANIFEST)",
            _ => return Err(format!("{}: has an unknown type", path.display()).into()),
        };
        let route = match &*name {
            "index.html" => "/".to_owned(),
            name => format!("/inbox/{name}"),
        };
        let source = format!("inbox/{name}");
        files.push(format!("file!({route:?}, {content_type}, {source:?})"));
    }
    files.sort();
    fs::write(list, format!("&[{}]", files.join(",\n")))?;
    Ok(())
}

/// A file of a page without comments, indentation and needless line breaks. String literals must neither span lines nor
/// contain the beginning of a comment.
fn minified(name: &str, content: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let text = String::from_utf8(content)?;
    let code = |line| str::split_once(line, " // ").map_or(line, |(code, _)| code);
    let is_code = |line: &&str| {
        let starts = ["//", "/*", "* ", "*/"];
        !line.is_empty() && !starts.iter().any(|start| line.starts_with(start))
    };
    let lines = text.lines().map(|line| code(line).trim()).filter(is_code);
    let mut minified = String::with_capacity(text.len());
    for line in lines {
        if !minified.is_empty() && !is_break_needless(name, &minified, line) {
            minified.push('\n');
        }
        minified.push_str(line);
    }
    if minified.contains("*/") {
        return Err(format!("{name}: each line of a comment must begin with /* or *").into());
    }
    Ok(minified.into_bytes())
}

/// Whether a line break has no meaning between the two: neither as the end of a statement nor as white space.
fn is_break_needless(name: &str, before: &str, after: &str) -> bool {
    match Path::new(name).extension().and_then(OsStr::to_str) {
        Some("js") => {
            before.ends_with(['{', '(', '[', ',', ';'])
                || after.starts_with(['}', ')', ']', '.', '?', ':'])
        }
        Some("css") => before.ends_with(['{', '}', ';', ',']) || after.starts_with('}'),
        _ => false,
    }
}

/// Extracts the files of Swagger UI from its archive.
fn extract_swagger_ui(into: &Path) -> Result<(), Box<dyn Error>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut missing = SWAGGER_UI.to_vec();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let path = file.name()?.into_owned();
        let wanted = |name: &&str| path.ends_with(&format!("/dist/{name}"));
        let Some(index) = missing.iter().position(wanted) else {
            continue;
        };
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        write_compressed(into, missing.swap_remove(index), &content)?;
    }
    if !missing.is_empty() {
        return Err(format!("the distribution of Swagger UI lacks {missing:?}").into());
    }
    Ok(())
}

/// Writes a file, compressed by gzip (RFC 1952).
fn write_compressed(folder: &Path, name: &str, content: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    fs::write(folder.join(format!("{name}.gz")), encoder.finish()?)?;
    Ok(())
}
