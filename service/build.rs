//! Makes what the binary carries: the list of migrations, and the files of the pages, as they are and compressed.

use std::error::Error;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// A file each, `NNNN_name.sql`.
const MIGRATIONS: &str = "migrations";
/// Our own pages: a folder each.
const PAGES: &str = "pages";
/// What the reference needs of Swagger UI's distribution.
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
            keep(
                &into,
                &name,
                &without_comments(&name, fs::read(file.path())?)?,
            )?;
        }
    }
    keep_swagger_ui(&out.join("docs"))
}

/// Writes the migrations as the value of a slice: version, name and SQL of each, in the order of their versions.
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

/// A file of ours without what browsers pass over: comments, and indentation. No text in it goes on over several lines, or
/// holds what begins a comment.
fn without_comments(name: &str, content: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let text = String::from_utf8(content)?;
    let code = |line| str::split_once(line, " // ").map_or(line, |(code, _)| code);
    let is_code = |line: &&str| {
        let starts = ["//", "/*", "* ", "*/"];
        !line.is_empty() && !starts.iter().any(|start| line.starts_with(start))
    };
    let lines = text.lines().map(|line| code(line).trim());
    let lines: Vec<_> = lines.filter(is_code).collect();
    let lines = lines.join("\n");
    if lines.contains("*/") {
        return Err(format!("{name}: each line of a comment begins with /* or *").into());
    }
    Ok(lines.into_bytes())
}

fn keep_swagger_ui(into: &Path) -> Result<(), Box<dyn Error>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let mut missing = SWAGGER_UI.to_vec();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let path = file.name()?.into_owned();
        let wanted = |name: &&str| path.ends_with(&format!("/dist/{name}"));
        let Some(place) = missing.iter().position(wanted) else {
            continue;
        };
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        keep(into, missing.swap_remove(place), &content)?;
    }
    if !missing.is_empty() {
        return Err(format!("Swagger UI has no {missing:?} any more").into());
    }
    Ok(())
}

/// Writes a file, and beside it what gzip (RFC 1952) makes of it.
fn keep(folder: &Path, name: &str, content: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), content)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    fs::write(folder.join(format!("{name}.gz")), encoder.finish()?)?;
    Ok(())
}
