#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/percent_text.h"
#include "catalog/model_version.h"
#include "dialect/tfserving/json_predict.h"
#include "dialect/torchserve/answers.h"
#include "dialect/torchserve/form_fields.h"
#include "request/infer_request.h"
#include "request/infer_response.h"

namespace modelmill::torchserve {

/// A request as it came, over either protocol. Views live as long as the request.
struct Question {
  Bytes body;
  std::string_view content_type;  // of the body
  Fields fields = {};             // instead of a body: what a gRPC message has
  NamedTexts query = {};
  NamedTexts headers = {};
  bool explain = false;
};

/// How the answer is written.
struct AnswerForm {
  bool is_body = false;         // the model is a handler of TorchServe's: it gives a body
  bool drop_dimension = false;  // one that the request was given is taken away again
  /// The request was TensorFlow Serving's, and its answer is.
  std::optional<tfserving::JsonFormat> predictions = {};
};

/// Whether the model takes a request's body as it is: a handler of TorchServe's, with one input `data` and one output
/// `output`, both of bytes.
bool takes_bodies(const ModelVersion& version);

/// Fills `request` for the version. A handler gets the body as it is, with its Content-Type, the URL's query and the
/// headers as parameters. Other models get tensors: JSON (an array for the only input, an object with one for each,
/// {"instances": ...} or {"inputs": ...}), CSV or .npy; a form with a field for each input in one of these; what is
/// none of these is the only input of bytes. INVALID_ARGUMENT says what does not fit, UNIMPLEMENTED that nothing
/// explains.
Status read_question(const Question& question, const ModelVersion& version, InferRequest& request, AnswerForm& form);

/// What a client gets.
struct Answer {
  int status = 200;
  std::string content_type;
  NamedTexts headers = {};
  Chunks body = {};
};

/// What went wrong, by the response's status or by a handler's own word; nullopt: nothing did.
std::optional<Failure> failure_in(const InferResponse& response, const AnswerForm& form);

/// A handler's body; or as JSON the only output, or an object of several. For a response without a failure.
Result<Answer> write_answer(const InferResponse& response, const AnswerForm& form);

}  // namespace modelmill::torchserve
