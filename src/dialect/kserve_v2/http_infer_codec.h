#pragma once

#include <boost/container/small_vector.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "dialect/kserve_v2/open_answer.h"
#include "dialect/kserve_v2/open_request.h"
#include "dialect/kserve_v2/output_selection.h"
#include "dialect/kserve_v2/shared_tensors.h"
#include "model/signature.h"
#include "request/infer_request.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// How an output comes: in the JSON, behind it, or in shared memory.
enum class HttpForm : uint8_t { kJson, kBinary, kShared };

/// How the client wants its outputs.
struct HttpOutputs {
  RequestedOutputs requested;  // empty: all
  /// Of each requested output, in their order.
  boost::container::small_vector<HttpForm, 4> forms;
  /// Of outputs that are not named.
  HttpForm default_form = HttpForm::kJson;

  HttpForm form(std::string_view output) const;
};

/// Fills `request` from an infer request's body: JSON of `header_length` bytes, and behind it the binary data of the
/// inputs that say so, of which the tensors are views (copies where they lie at odd places). Those that lie in shared
/// memory have no data yet: what is to be had there is in `shared`. INVALID_ARGUMENT, in Triton's words where it has
/// some, otherwise; the request's id is set where it could be read. `open`: takes, for a model with an open signature,
/// what the client says beside its tensors' data, which may be any JSON then; null for others. Runs on any thread.
Status parse_http_infer(const Bytes& body, size_t header_length, InferRequest& request, HttpOutputs& outputs,
                        SharedTensors& shared, OpenRequest* open = nullptr);

/// Fills `request` from a body that is nothing but the bytes of a model's one input (Inference-Header-Content-Length:
/// 0). The shape comes from the signature: one row where there is a batch dimension, and at most one size left open.
Status parse_http_raw(const Bytes& body, std::string_view model, const Signature& signature, bool has_batch_dimension,
                      InferRequest& request);

/// The answer: JSON, and behind it the outputs that go as binary data, uncopied, with the header that says how long the
/// JSON is. Of those in shared memory it has no more than type and shape. What cannot be written is an error reply.
/// `open`: what an open model's code said beside its outputs; null: it said nothing.
wire::HttpReply write_http_infer(const InferResponse& response, std::string_view model, int64_t version,
                                 std::string_view id, const HttpOutputs& outputs, const OpenAnswer* open = nullptr);

}  // namespace modelmill::kserve_v2
