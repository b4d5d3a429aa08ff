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

/// Adds the unary method of a path, "/package.Service/Method", from `answer(const Request&) -> Result<Response>`, which
/// is quick: it runs on the loop.
template <typename Request, typename Answer>
void add_unary(wire::GrpcMethods& methods, wire::ApiGroup group, const std::string& path, Answer answer) {
  const std::string name = path.substr(path.rfind('/') + 1);
  methods.add(path,
              wire::unary_method([name, answer = std::move(answer)](std::shared_ptr<wire::GrpcCall> call, Bytes bytes) {
                Request request;
                if (bytes.size() > INT_MAX || !request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
                  call->finish(invalid_argument("the message does not parse as the request of " + name));
                  return;
                }
                const auto result = answer(request);
                if (result.ok()) {
                  call->reply(serialise(*result));
                } else {
                  call->finish(result.status());
                }
              }),
              group);
}

}  // namespace modelmill
