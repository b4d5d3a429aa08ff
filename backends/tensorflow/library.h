#pragma once

#include <string>

#include "support/vendor_library.h"
#include "tf_api.h"

namespace modelmill::tensorflow {

/// The vendor's shared library, and what is taken out of it. Thread-safe.
class Library {
 public:
  /// `configured`: the operator's "library" setting, or empty. `plugin_dir`: the folder of this plugin, from where a
  /// wheel or virtual environment around it is found.
  Library(std::string configured, std::string plugin_dir);

  struct Opened {
    std::string path;
    std::string version;
  };

  /// Opens the library at the first call and sets `api`; tried again while it fails, so that an installation is
  /// noticed. Null when it can't be had, then `problem` says why.
  const Opened* open(std::string* problem);

  /// What a user does about a missing library.
  static const char* remedy() {
    return "pip install tensorflow-cpu, or set MODELMILL_TENSORFLOW to the path of a libtensorflow_cc.so.2 or "
           "libtensorflow.so.2";
  }

 private:
  std::string bind(void* handle, const std::string& path);

  Opened opened_;  // constant once the library is open
  backend::VendorLibrary library_;
};

}  // namespace modelmill::tensorflow
