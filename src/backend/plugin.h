#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "backend/handles.h"
#include "base/mutex.h"
#include "base/result.h"
#include "modelmill/backend.h"

namespace modelmill {

/// One backend's shared library, opened and checked. It is never closed. Thread-safe.
class Plugin {
 public:
  /// Opens `path` and checks that it speaks this ABI and calls itself `name`.
  static Result<std::shared_ptr<Plugin>> open(const std::string& path, const std::string& name);

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }
  const mm_backend& table() const { return *table_; }
  /// What initialize made. Call after initialize() was OK.
  mm_backend_state* state() const { return state_; }

  /// Calls the backend's initialize the first time; later calls return what came of it.
  Status initialize(const std::string& settings);

  /// Runs a call into the backend: takes over the error that it returns, and stops an exception that it lets escape.
  template <typename F>
  Status call(F&& f) const {
    mm_error* error = nullptr;
    try {
      error = f();
    } catch (const std::exception& e) {
      return internal("backend '" + name_ + "' let an exception escape: " + e.what());
    } catch (...) {
      return internal("backend '" + name_ + "' let an exception escape");
    }
    if (error == nullptr) return ok_status();
    return take_error(error);
  }

  /// What an error from a backend says; frees it.
  static Status take_error(mm_error* error);

 private:
  Plugin(std::string name, std::string path, const mm_backend* table)
      : name_(std::move(name)), path_(std::move(path)), table_(table) {}

  const std::string name_;
  const std::string path_;
  const mm_backend* const table_;
  Mutex mutex_;
  bool initialized_ MM_GUARDED_BY(mutex_) = false;
  Status initialize_status_ MM_GUARDED_BY(mutex_);
  mm_backend_state* state_ = nullptr;  // written once, under mutex_, before anyone reads it
};

}  // namespace modelmill
