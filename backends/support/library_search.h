#pragma once

#include <string>
#include <vector>

namespace modelmill::backend {

/// Where a vendor's shared library may lie on a machine. All names are glob patterns; of several files that match one
/// pattern the one with the highest name comes first.
struct LibrarySearch {
  /// The variable of the environment that names the library, or the folder, Python environment or package that holds
  /// it: "MODELMILL_ONNXRUNTIME". When it is set nothing else is tried.
  std::string variable;
  /// The library in a Python package, relative to the folder of packages: "onnxruntime/capi/libonnxruntime.so*".
  std::vector<std::string> in_packages;
  /// The library's file name, for folders: "libonnxruntime.so*".
  std::string file;
  /// What the system's loader may know it as, at least one: "libonnxruntime.so.1". The last one stands in messages.
  std::vector<std::string> sonames;
};

/// The files to try, best first: what `search.variable` names alone if it is set, else the active virtual environment,
/// the environments around `plugin_dir`, those of the `python3` on the PATH and of the user, and the system's. Those
/// with a slash exist; the others are for the system's loader to find.
std::vector<std::string> library_candidates(const LibrarySearch& search, const std::string& plugin_dir);

}  // namespace modelmill::backend
