#include "dialect/model_wait.h"

#include <utility>

namespace modelmill {

void wait_for_model(Inference& inference, const std::shared_ptr<wire::HttpExchange>& exchange, const std::string& model,
                    std::function<void(std::shared_ptr<wire::HttpExchange>)> handle,
                    std::function<wire::HttpReply(const Status&)> refuse) {
  const auto cancel = std::make_shared<CancelToken>();
  exchange->on_abandoned([cancel, model, &inference] {
    cancel->cancel(CancelToken::Reason::kClientGone);
    inference.cancelled(model, 0);
  });
  inference.wait_for_model(
      {model, kNever, cancel, exchange->request().body.size(),
       [exchange, cancel, handle = std::move(handle), refuse = std::move(refuse)](const Status& status) {
         exchange->loop().post([exchange, cancel, handle, refuse, status] {
           if (cancel->cancelled()) return;
           if (status.ok()) return handle(exchange);
           exchange->reply(refuse(status));
         });
       }});
}

}  // namespace modelmill
