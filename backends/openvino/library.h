#pragma once

#include <string>
#include <vector>

#include "ov.h"
#include "support/vendor_library.h"

namespace modelmill::ov {

/// The vendor's shared library, and what is taken out of it. Thread-safe.
class Library {
 public:
  /// `configured`: the operator's "library" setting, or empty. `plugin_dir`: the folder of this plugin, from where a
  /// wheel or virtual environment around it is found.
  Library(std::string configured, std::string plugin_dir);

  struct Opened {
    Api api;
    Core* core = nullptr;  // one for the process, kept for ever: tensors of models long gone may still need it
    std::string path;
    std::string version;
  };

  /// The library, opened at the first call; tried again while it fails, so that an installation is noticed. Null when
  /// it can't be had, then `problem` says why.
  const Opened* open(std::string* problem);

  /// What a user does about a missing library.
  static const char* remedy() {
    return "pip install openvino, or set MODELMILL_OPENVINO to the path of a libopenvino_c.so";
  }

 private:
  std::string bind(void* handle, const std::string& path);

  Opened opened_;  // constant once the library is open
  backend::VendorLibrary library_;
};

/// The devices that an opened library can run models on: "CPU", "GPU.0".
std::vector<std::string> device_names(const Library::Opened& library);

}  // namespace modelmill::ov
