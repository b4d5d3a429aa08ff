#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "state/store.h"

namespace modelmill {

/// A store whose keys of a prefix can't be listed, when the test says so.
class FlakyStore final : public StateStore {
 public:
  explicit FlakyStore(StateStore& whole) : whole_(whole) {}
  Result<std::optional<StoredValue>> get(const std::string& key) override { return whole_.get(key); }
  Result<std::map<std::string, StoredValue>> list(const std::string& prefix) override {
    if (prefix == lost) return Status(Code::kDataLoss, "'" + prefix + "' can't be listed");
    return whole_.list(prefix);
  }
  Result<uint64_t> compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                   uint64_t expected) override {
    return whole_.compare_and_put(key, value, expected);
  }
  Result<std::unique_ptr<StoreWatch>> watch(const std::string& prefix, Changed changed) override {
    return whole_.watch(prefix, std::move(changed));
  }
  Result<std::unique_ptr<StoreLease>> acquire(const std::string& name, Duration ttl) override {
    return whole_.acquire(name, ttl);
  }
  std::string lost;

 private:
  StateStore& whole_;
};

}  // namespace modelmill
