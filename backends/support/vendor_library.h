#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "support/library_search.h"

namespace modelmill::backend {

/// A vendor's shared library: found at run time, opened once, never closed. Thread-safe.
class VendorLibrary {
 public:
  /// Takes what is needed out of an opened library, which lies at `path`. Returns why it can't be used, or an empty
  /// text. One call at a time, none after one that returned nothing.
  using Bind = std::function<std::string(void* handle, const std::string& path)>;
  /// Says of a file, before it is opened, why it can't be used, or an empty text.
  using Check = std::function<std::string(const std::string& path)>;

  /// `name`: the runtime's, for messages. `configured`: the operator's "library" setting, or empty. `plugin_dir`: the
  /// folder of the plugin, from where a wheel or virtual environment around it is found.
  VendorLibrary(LibrarySearch search, std::string name, std::string configured, std::string plugin_dir, Bind bind,
                Check check = {})
      : search_(std::move(search)),
        name_(std::move(name)),
        configured_(std::move(configured)),
        plugin_dir_(std::move(plugin_dir)),
        bind_(std::move(bind)),
        check_(std::move(check)) {}

  /// Opens the library at the first call; tried again while it fails, so that an installation is noticed. Returns its
  /// file, or an empty text when it can't be had; then `problem` says why.
  std::string open(std::string* problem);

 private:
  std::string try_open(const std::string& name, std::string* problem) const;

  const LibrarySearch search_;
  const std::string name_;
  const std::string configured_;
  const std::string plugin_dir_;
  const Bind bind_;
  const Check check_;
  std::mutex mutex_;
  std::string path_;  // guarded by mutex_; empty until it is open
};

/// Looks functions up in an opened library and those that it needs.
class Symbols {
 public:
  explicit Symbols(void* handle) : handle_(handle) {}

  /// `to`, a pointer to a function, is null when there is none of that name.
  template <typename F>
  void get(F& to, const char* name) {
    to = reinterpret_cast<F>(find(name));
  }
  /// The name of the first that was not there, or empty.
  const std::string& missing() const { return missing_; }

 private:
  void* find(const char* name);

  void* const handle_;
  std::string missing_;
};

}  // namespace modelmill::backend
