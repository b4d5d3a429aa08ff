#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/result.h"
#include "server/access/token_table.h"
#include "server/file_watcher.h"

namespace modelmill {

/// The tokens of a file as they were when it last could be read; it may look for changes by itself. Thread-safe.
class TokenStore {
 public:
  /// Reads the file. The error names it and says what to do. A file that everyone may read is used, with a warning in
  /// the log.
  static Result<std::shared_ptr<TokenStore>> open(std::string file);

  /// From now on the file is read again when it changes. Once.
  void watch() { watcher_.start(); }

  /// Reads the file again: its tokens take the place of the old ones; if it can't be used, those stay and the log says
  /// why.
  void reload();

  std::shared_ptr<const TokenTable> tokens() const;
  const std::string& file() const { return file_; }

 private:
  explicit TokenStore(std::string file) : file_(std::move(file)), watcher_({file_}, [this] { reload(); }) {}

  const std::string file_;
  mutable Mutex mutex_;
  std::shared_ptr<const TokenTable> tokens_ MM_GUARDED_BY(mutex_);
  FileWatcher watcher_;  // last: its thread uses the others
};

/// The text of a token file, at most 1 MiB; an error names the file.
Result<std::string> read_token_file(const std::string& file);

}  // namespace modelmill
