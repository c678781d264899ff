// Site builds the documentation as a folder of static pages: the Markdown files
// of the repository in one layout, with a navigation by kind of reader and a
// search that works without a server.
//
//	go -C tools run ./site              # check the links and build into dist/site
//	go -C tools run ./site -out ""      # check the links only
//
// It guarantees:
//   - Each link to a file of the repository has a target, and each anchor is a
//     heading of its page. Anchors are those that GitHub gives to the headings.
//   - Each page below docs/ can be reached from docs/README.md, the list from
//     which the navigation is made.
//   - A page makes no request to another host. Search reads an index that was
//     written with the pages, also where they are opened as files.
//   - The same sources give the same bytes.
//
// It does not open links to other hosts: a check that needs the network fails for
// reasons that are not in the repository. Mermaid diagrams are shown as their source.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "..", "folder of the repository")
	out := flag.String("out", "dist/site", "folder of the site, below the root; empty: check only")
	flag.Parse()
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func run(root, out string) error {
	s, err := load(root)
	if err != nil {
		return err
	}
	faults := s.check()
	for _, f := range faults {
		fmt.Println(f)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults; repair the files named above", len(faults))
	}
	if out == "" {
		fmt.Printf("%d pages, every link has a target\n", len(s.pages))
		return nil
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(root, out)
	}
	if err := s.write(out); err != nil {
		return fmt.Errorf("writing the site: %w", err)
	}
	fmt.Printf("%d pages in %s; open index.html\n", len(s.pages), out)
	return nil
}
