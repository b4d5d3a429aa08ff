#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/definition.h"

namespace modelmill {

/// A version that should be served, and the stamp of what it is made from (see repository/version_files.h): another
/// stamp is another content.
struct WantedVersion {
  int64_t version = 0;
  std::string stamp;
};

/// How far a version is, by the stamps of its contents; empty: none.
struct SwapVersion {
  int64_t version = 0;
  std::string serving;
  std::string loading;
  std::string failed;     // what could not be loaded, last
  bool draining = false;  // something of it still answers its last requests
  bool waits = false;     // what is loading has failed, and its next try is not due yet
};

struct SwapSteps {
  std::vector<int64_t> load;
  std::vector<int64_t> unload;  // taken from clients now
  /// All that can be done for what is wanted is done; what drains may still do so.
  bool settled = false;
};

/// What is to be done next so that what is wanted is served. Pure. `versions` has each number once.
///   availability: new contents load beside what serves; what is not wanted goes when nothing is left to load but what
///                 waits for its next try, and only if something that is wanted serves, or nothing is wanted.
///   resource:     what is not wanted, and what has another content, goes first; loading begins when it has gone.
/// What failed is not tried again until its stamp changes.
SwapSteps plan_swap(const std::vector<SwapVersion>& versions, const std::vector<WantedVersion>& wanted,
                    SwapPolicy policy);

}  // namespace modelmill
