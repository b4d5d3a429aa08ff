#pragma once

#include <string>
#include <vector>

#include "bridge.h"
#include "support/vendor_library.h"

namespace modelmill::pytorch {

/// Torch's shared library with the bridge that fits it. Thread-safe. A process has one torch: two of them can't be
/// opened, so one without a bridge is passed over before it is.
class Library {
 public:
  /// `configured`: the operator's "library" setting, or empty. `plugin_dir`: the folder of this plugin, where the
  /// bridges are, and from where a wheel or virtual environment around it is found.
  Library(std::string configured, std::string plugin_dir);

  struct Opened {
    std::string path;
    std::string version;  // "2.15.0+cu132"
    Bridge* bridge = nullptr;
  };

  /// Opens library and bridge at the first call; tried again while it fails, so that an installation is noticed. Null
  /// when they can't be had, then `problem` says why.
  const Opened* open(std::string* problem);

  /// What a user does about a missing library.
  std::string remedy() const;

 private:
  std::string check_version(const std::string& path) const;
  std::string bind(const std::string& path);
  std::string bridge_file(const std::string& minor) const;
  /// "2.14 and 2.15": the minors that bridges are there for.
  std::string minors_text() const;

  const std::string plugin_dir_;
  Opened opened_;  // constant once the library is open
  backend::VendorLibrary library_;
};

}  // namespace modelmill::pytorch
