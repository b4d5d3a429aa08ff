#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"

namespace modelmill::torchserve {

/// The keys of TorchServe's token authorization, made at random and written to its `key_file.json`: one for inference
/// and one for management, which expire, and one that only has another made of these. Thread-safe.
class Keys {
 public:
  enum class Kind { kInference, kManagement, kRenewal };

  /// Makes all three. UNAVAILABLE names a file that can't be written, INVALID_ARGUMENT one that holds something else.
  static Result<std::shared_ptr<Keys>> make(std::string file, Duration lifetime,
                                            const TimeSource& time = TimeSource::steady());
  /// Takes the file away.
  ~Keys();
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  /// Whether that is the key and has not expired. The time taken tells nothing but the length.
  bool allows(Kind kind, std::string_view presented) const;

  /// A new key of the kind, and the file with it. The old one is none from then on; it stays where the file can't be
  /// written. FAILED_PRECONDITION after remove_file(). Blocks on the disk.
  Status renew(Kind kind);

  /// At a stop: nobody is to find the keys any more, and no others are made.
  void remove_file();

  const std::string& file() const { return file_; }

 private:
  struct Key {
    std::string text;
    TimePoint expires = kNever;
    std::string expires_text = {};
  };
  /// All of them, as they are at one time.
  struct Set {
    Key inference, management, renewal;
    Key& key(Kind kind) {
      return kind == Kind::kInference ? inference : kind == Kind::kManagement ? management : renewal;
    }
  };

  Keys(std::string file, Duration lifetime, const TimeSource& time)
      : file_(std::move(file)), lifetime_(lifetime), time_(time) {}

  Result<Key> make_key(Kind kind) const;
  Status write(const Set& set) const;

  const std::string file_;
  const Duration lifetime_;
  const TimeSource& time_;
  Mutex renewing_;  // one at a time
  bool has_file_ MM_GUARDED_BY(renewing_) = false;
  mutable Mutex mutex_;
  std::shared_ptr<Set> set_ MM_GUARDED_BY(mutex_);
};

/// The key in the value of an Authorization header, which TorchServe takes as "Bearer KEY" alone; empty if it has
/// another form.
std::string_view key_in(std::string_view authorization);

}  // namespace modelmill::torchserve
