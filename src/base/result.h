#pragma once

#include <optional>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace modelmill {

/// A value, or the Status that says why there is none. `value()` without one is a bug (CHECK).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    MM_CHECK(!status_.ok(), "a Result made from OK must carry a value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    MM_CHECK(ok(), status_.to_string().c_str());
    return *value_;
  }
  const T& value() const& {
    MM_CHECK(ok(), status_.to_string().c_str());
    return *value_;
  }
  T&& value() && {
    MM_CHECK(ok(), status_.to_string().c_str());
    return std::move(*value_);
  }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace modelmill

#define MM_CONCAT_INNER_(a, b) a##b
#define MM_CONCAT_(a, b) MM_CONCAT_INNER_(a, b)

/// `MM_ASSIGN_OR_RETURN(auto x, f());` binds the value, or returns the Status from the enclosing function.
#define MM_ASSIGN_OR_RETURN(lhs, expr) MM_ASSIGN_OR_RETURN_IMPL_(MM_CONCAT_(mm_result_, __LINE__), lhs, expr)
#define MM_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                              \
  if (!result.ok()) return result.status();          \
  lhs = std::move(result).value()
