#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "wire/http.h"

namespace modelmill::torchserve {

/// What TorchServe's clients are told when something fails: an HTTP status, the name of an exception of its server, and
/// a message.
struct Failure {
  int status = 500;
  std::string_view type;  // a literal
  std::string message;
};

/// Errors that clients of TorchServe know the words of.
Status model_not_found(std::string_view model);
Status version_not_found(std::string_view model, std::string_view version);
/// A model whose workers clients have taken.
Status no_worker(std::string_view model, std::string_view version);
Status no_such_resource();
Status method_not_allowed();

/// A status as TorchServe has it.
Failure failure_of(const Status& status);
/// The status of gRPC that TorchServe gives for one of HTTP.
Code grpc_code_of(int http_status);
/// A failure of an inference as its gRPC service has it, where what is not there, or has no worker, is INTERNAL.
Failure grpc_inference_failure(Failure failure);
/// The class of the exception, with its package.
std::string exception_class(const Failure& failure);
/// The words that TorchServe's gRPC services put behind a message.
std::string grpc_message(const Failure& failure);

/// JSON text with two spaces for each level, as TorchServe writes it, and a line break at its end.
std::string indented(std::string_view json);
/// {"code": ..., "type": ..., "message": ...}.
std::string failure_json(const Failure& failure);
wire::HttpReply failure_reply(const Failure& failure);
wire::HttpReply failure_reply(const Status& status);
/// {"status": ...}.
std::string status_json(std::string_view text);
/// A reply whose body is `json`, indented.
wire::HttpReply plain_reply(int status, std::string_view json);

}  // namespace modelmill::torchserve
