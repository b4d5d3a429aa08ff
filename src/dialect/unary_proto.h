#pragma once

#include <climits>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "wire/grpc.h"

namespace modelmill {

/// A message as one piece of memory.
template <typename Message>
Chunks serialise(const Message& message) {
  MemoryRef memory = Memory::allocate(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(memory->data()));
  Chunks chunks;
  chunks.emplace_back(std::move(memory));
  return chunks;
}

/// Makes a unary method of what begins to answer a message: `start(const Request&, const std::shared_ptr<GrpcCall>&)`.
template <typename Request, typename Start>
void add_unary_call(wire::GrpcMethods& methods, wire::ApiGroup group, const std::string& path, Start start) {
  const std::string name = path.substr(path.rfind('/') + 1);
  methods.add(path,
              wire::unary_method([name, start = std::move(start)](std::shared_ptr<wire::GrpcCall> call, Bytes bytes) {
                Request request;
                if (bytes.size() > INT_MAX || !request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
                  call->finish(invalid_argument("the message does not parse as the request of " + name));
                  return;
                }
                start(request, call);
              }),
              group);
}

/// Adds the unary method of a path, "/package.Service/Method", from `answer(const Request&) -> Result<Response>`, which
/// is quick: it runs on the loop.
template <typename Request, typename Answer>
void add_unary(wire::GrpcMethods& methods, wire::ApiGroup group, const std::string& path, Answer answer) {
  add_unary_call<Request>(
      methods, group, path,
      [answer = std::move(answer)](const Request& request, const std::shared_ptr<wire::GrpcCall>& call) {
        const auto result = answer(request);
        if (result.ok()) {
          call->reply(serialise(*result));
        } else {
          call->finish(result.status());
        }
      });
}

/// The same where the answer, which is always the same message, comes when the control plane is done, on any thread:
/// `start(const Request&, std::function<void(Status)>)`.
template <typename Request, typename Response, typename Start>
void add_unary_control(wire::GrpcMethods& methods, const std::string& path, Response response, Start start) {
  add_unary_call<Request>(methods, wire::ApiGroup::kManagement, path,
                          [response = std::move(response), start = std::move(start)](
                              const Request& request, const std::shared_ptr<wire::GrpcCall>& call) {
                            start(request, [call, response](const Status& status) {
                              call->loop().post([call, response, status] {
                                if (status.ok()) return call->reply(serialise(response));
                                call->finish(status);
                              });
                            });
                          });
}

}  // namespace modelmill
