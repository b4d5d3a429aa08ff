#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "state/store.h"

namespace modelmill {

/// A store that can't be watched unless the test says so, and whose keys of a prefix can't be listed when it says so.
class FlakyStore final : public StateStore {
 public:
  explicit FlakyStore(StateStore& whole) : whole_(whole) {}
  Result<std::optional<StoredValue>> get(const std::string& key) override { return whole_.get(key); }
  Result<std::map<std::string, StoredValue>> list(const std::string& prefix) override {
    ++lists[prefix];
    if (prefix == lost) return Status(Code::kDataLoss, "'" + prefix + "' can't be listed");
    return whole_.list(prefix);
  }
  Result<uint64_t> compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                   uint64_t expected) override {
    return whole_.compare_and_put(key, value, expected);
  }
  Result<std::unique_ptr<StoreWatch>> watch(const std::string& prefix, Changed changed) override {
    if (!watches) return unimplemented("it can't be watched");
    return whole_.watch(prefix, std::move(changed));
  }
  Result<std::unique_ptr<StoreLease>> acquire(const std::string& name, Duration ttl) override {
    return whole_.acquire(name, ttl);
  }
  bool watches = false;
  std::string lost;
  std::map<std::string, int> lists;  // by prefix

 private:
  StateStore& whole_;
};

}  // namespace modelmill
