#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace modelmill {

struct StoredValue {
  std::string value;  // a JSON document in UTF-8
  uint64_t revision = 0;
};

/// A watch of a store: no callback begins once it is gone. Its end waits for a callback that is running, unless it is
/// that callback that ends it. It must end before its store.
class StoreWatch {
 public:
  virtual ~StoreWatch() = default;
};

/// What one holder has at a time. Given back when it ends, or when its holder dies.
class StoreLease {
 public:
  virtual ~StoreLease() = default;
  /// False once the store has given it to another, or might have: what it protects must stop.
  virtual bool held() const = 0;
};

/// What must outlive a server, and what replicas share: small JSON documents under keys such as "models/ocr".
/// Thread-safe. A revision is never given twice to a key, so that a value that was removed and made again is not taken
/// for the old one.
class StateStore {
 public:
  using Changed = std::function<void(const std::string& key)>;

  virtual ~StateStore() = default;

  /// nullopt: the key does not exist. DATA_LOSS where what is kept can't be read; then it was set aside, and the key
  /// does not exist any more.
  virtual Result<std::optional<StoredValue>> get(const std::string& key) = 0;

  /// All keys that begin with the prefix; not one moment's picture of them, but each value whole.
  virtual Result<std::map<std::string, StoredValue>> list(const std::string& prefix) = 0;

  /// Puts the value, or removes the key for nullopt, if the key's revision is `expected` (0: it does not exist), and
  /// returns the new revision (0: removed). ABORTED when the revision is another, and then, as after any other error,
  /// the old value stays. What was put outlasts a crash of the machine.
  virtual Result<uint64_t> compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                           uint64_t expected) = 0;

  /// Calls back, on a thread of the store's own, after a key with the prefix was changed, by whatever process. Changes
  /// that follow each other may be told once. With the prefix itself where it can't be told which keys have changed.
  virtual Result<std::unique_ptr<StoreWatch>> watch(const std::string& prefix, Changed changed) = 0;

  /// ALREADY_EXISTS names the holder when there is one. `ttl`: how long a holder that can't reach the store is believed
  /// to be alive.
  virtual Result<std::unique_ptr<StoreLease>> acquire(const std::string& name, Duration ttl) = 0;
};

}  // namespace modelmill
