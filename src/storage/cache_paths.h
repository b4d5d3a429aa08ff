#pragma once

#include <string>

namespace modelmill {

/// Where things are in a cache. All on one file system, because files move and are linked between them.
struct CachePaths {
  std::string folder;

  /// Held exclusively by whoever links, moves or removes blobs, for as short as that takes.
  std::string lock() const { return folder + "/lock"; }
  /// Whole, verified files, each named as its SHA-256 and read-only.
  std::string blobs() const { return folder + "/blobs"; }
  std::string blob(const std::string& sha256) const { return blobs() + '/' + sha256.substr(0, 2) + '/' + sha256; }
  /// A small file for each version of a remote object: the SHA-256 of its content.
  std::string index() const { return folder + "/index"; }
  /// PartialFiles, each with a lock of the process that loads it; links on their way into a tree; archives that are
  /// being unpacked, and what was unpacked and is being removed.
  std::string partials() const { return folder + "/partial"; }
  /// A folder for each URL, of links to blobs, with a lock that is shared by the processes that use it.
  std::string trees() const { return folder + "/trees"; }
  /// A folder for each content of an archive, with a lock that is shared by the processes that use it.
  std::string unpacked() const { return folder + "/unpacked"; }
  /// A small file for each archive: which of these folders is its content.
  std::string archives() const { return folder + "/archives"; }
};

}  // namespace modelmill
