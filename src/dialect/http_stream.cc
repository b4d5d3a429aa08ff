#include "dialect/http_stream.h"

namespace modelmill {

void HttpStream::send(wire::HttpReply head, Chunks piece, bool last) {
  size_t size = 0;
  for (const Bytes& bytes : piece) size += bytes.size();
  made(size);
  loop().post([self = shared_from_this(), this, head = std::move(head), piece = std::move(piece), size,
               last]() mutable { deliver(std::move(head), std::move(piece), size, last); });
}

void HttpStream::reply(wire::HttpReply reply) {
  loop().post(
      [self = shared_from_this(), this, reply = std::move(reply)]() mutable { exchange_->reply(std::move(reply)); });
}

void HttpStream::deliver(wire::HttpReply head, Chunks piece, size_t size, bool last) {
  if (!std::exchange(begun_, true)) exchange_->begin(std::move(head));
  if (size > 0) exchange_->write(std::move(piece));
  if (!last) return sent(size);
  stop();
  exchange_->end();
}

}  // namespace modelmill
