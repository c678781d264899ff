// Package config turns one YAML file into validated Go values.
//
// It is the single source of truth of the product: the role session, the
// upload, the policies that setup writes and the checks that verify runs are
// all derived from a Destination.
//
// Guarantees:
//   - Load and Parse either return a configuration in which every rule holds,
//     with all defaults filled in, or an Errors value that lists every fault
//     found, each with file, line, column, the path of the value and a hint.
//   - Parse is pure. Load reads the one file, and nothing else: no DNS, no
//     user database, no AWS.
//   - Every KeyTemplate was checked, and a rendered key always starts with its
//     Prefix.
//
// It refuses values that cannot work or are not safe: unknown and duplicate keys, YAML
// anchors and merges (each fault needs one position), key aliases and bare key
// ids, accounts that disagree, plain HTTP to other hosts, templates without a
// unique part.
package config
