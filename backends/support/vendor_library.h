#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "support/library_search.h"

namespace modelmill::backend {

/// A vendor's shared library: found at run time, opened once, never closed. Thread-safe.
class VendorLibrary {
 public:
  /// Takes what is needed out of an opened library. Returns why it can't be used, or an empty text.
  using Bind = std::function<std::string(void* handle, const std::string& path)>;

  /// `name`: the runtime's, for messages. `configured`: the operator's "library" setting, or empty. `plugin_dir`: the
  /// folder of the plugin, from where a wheel or virtual environment around it is found.
  VendorLibrary(LibrarySearch search, std::string name, std::string configured, std::string plugin_dir, Bind bind)
      : search_(std::move(search)),
        name_(std::move(name)),
        configured_(std::move(configured)),
        plugin_dir_(std::move(plugin_dir)),
        bind_(std::move(bind)) {}

  /// Opens the library at the first call; tried again while it fails, so that an installation is noticed. Returns its
  /// file, or an empty text when it can't be had; then `problem` says why.
  std::string open(std::string* problem);

 private:
  std::string try_open(const std::string& path, std::string* problem) const;

  const LibrarySearch search_;
  const std::string name_;
  const std::string configured_;
  const std::string plugin_dir_;
  const Bind bind_;
  std::mutex mutex_;
  std::string path_;  // guarded by mutex_; empty until it is open
};

namespace detail {
void* find_symbol(void* handle, const char* name);
}

/// Looks up a function of an opened library; false when there is none.
template <typename Function>
bool bind_symbol(void* handle, const char* name, Function*& out) {
  out = reinterpret_cast<Function*>(detail::find_symbol(handle, name));
  return out != nullptr;
}

}  // namespace modelmill::backend
