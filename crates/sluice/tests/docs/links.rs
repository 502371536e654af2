//! Links between the pages.

use crate::markdown::{Page, root};

#[test]
fn links_lead_somewhere() {
    let mut seen = 0;
    for page in Page::all() {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in page.links().into_iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link
                .split_once('#')
                .map_or((&*link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                format!("{folder}/{file}")
            };
            let target = target.trim_start_matches('/');
            assert!(root().join(target).exists(), "{} links to {link}", page.path);
            if let Some(anchor) = anchor {
                let anchors = Page::read(target).anchors();
                assert!(
                    anchors.iter().any(|known| known == anchor),
                    "{} links to {link}",
                    page.path
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} links were found");
}
