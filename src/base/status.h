#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace modelmill {

/// gRPC's 16 canonical codes and OK, with gRPC's numbers, so that HTTP, gRPC and the backend ABI map one to one.
enum class Code : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// The canonical name, e.g. "INVALID_ARGUMENT". Never null.
const char* code_name(Code code);

/// The outcome of an operation: OK (one null pointer, no allocation) or a code and a message for the person who caused
/// it: the object, the limit, and what to do. Cheap to copy; safe to share between threads.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message);

  bool ok() const { return rep_ == nullptr; }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  /// Empty when OK.
  const std::string& message() const;
  /// "OK", or "NOT_FOUND: model 'x' ...".
  std::string to_string() const;
  /// The same code with "<context>: " put before the message. OK stays OK.
  Status with_context(std::string_view context) const;

  bool operator==(const Status& other) const { return code() == other.code() && message() == other.message(); }

 private:
  struct Rep {
    Code code;
    std::string message;
  };
  std::shared_ptr<const Rep> rep_;
};

inline Status ok_status() { return Status(); }
inline Status cancelled(std::string message) { return {Code::kCancelled, std::move(message)}; }
inline Status invalid_argument(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }
inline Status deadline_exceeded(std::string message) { return {Code::kDeadlineExceeded, std::move(message)}; }
inline Status not_found(std::string message) { return {Code::kNotFound, std::move(message)}; }
inline Status already_exists(std::string message) { return {Code::kAlreadyExists, std::move(message)}; }
inline Status resource_exhausted(std::string message) { return {Code::kResourceExhausted, std::move(message)}; }
inline Status failed_precondition(std::string message) { return {Code::kFailedPrecondition, std::move(message)}; }
inline Status unimplemented(std::string message) { return {Code::kUnimplemented, std::move(message)}; }
inline Status internal(std::string message) { return {Code::kInternal, std::move(message)}; }
inline Status unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }

}  // namespace modelmill

/// Returns the Status from the enclosing function unless it is OK.
#define MM_RETURN_IF_ERROR(expr)                                                      \
  do {                                                                                \
    if (::modelmill::Status mm_status_ = (expr); !mm_status_.ok()) return mm_status_; \
  } while (false)
