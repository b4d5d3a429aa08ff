#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string>

#include "request/infer_request.h"

namespace modelmill {

/// Whom a question is for: a version from its loading to its unloading, and a state of what else its answers depend on.
struct AnswerScope {
  uint64_t owner = 0;
  uint64_t epoch = 0;

  bool operator==(const AnswerScope&) const = default;
};

/// A request's answer, and all of the request that it depends on: whom it asked and for which outputs, its inputs with
/// their names, types, shapes and bytes, and its parameters, each in their order; for code with an open signature also
/// whether it has an id, because that gives an answer one where it has none. Immutable once it has its answer, and
/// then shared between threads.
class CachedAnswer {
 public:
  /// One that has no answer yet. It shares the request's bytes.
  CachedAnswer(AnswerScope scope, const InferRequest& request);

  /// Takes an answer that is not an error, and both are made to last: what lies in memory that is lent, or much larger
  /// than what is needed of it, is copied. May throw std::bad_alloc.
  void take(const InferResponse& response);

  /// The request asks the same thing.
  bool is_of(AnswerScope scope, const InferRequest& request) const;
  /// Shares the bytes.
  InferResponse response() const;

  const AnswerScope& scope() const { return scope_; }
  /// Of its inputs, whether it has an answer yet or not.
  uint64_t question_bytes() const;
  /// What it holds of memory once it has an answer, with the entry of a table that holds it.
  uint64_t bytes() const { return bytes_; }

 private:
  AnswerScope scope_;
  Parameters parameters_;
  bool names_itself_;
  boost::container::small_vector<std::string, 2> wanted_;
  boost::container::small_vector<Tensor, 2> inputs_;
  boost::container::small_vector<Tensor, 2> outputs_;
  Parameters answer_parameters_;
  int64_t version_ = 0;
  uint64_t bytes_ = 0;
};

/// A number for what CachedAnswer::is_of() compares. Every process has its own. Each input's bytes are in one piece.
uint64_t question_hash(AnswerScope scope, const InferRequest& request);

/// What take() would have to keep, at least.
uint64_t answer_bytes(const InferRequest& request);
uint64_t answer_bytes(const InferResponse& response);

}  // namespace modelmill
