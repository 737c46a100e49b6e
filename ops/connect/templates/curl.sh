key="test-$(date +%s)"   # one for each event, the same at each try
send() {
  curl --silent --show-error --fail-with-body --max-time 30 --retry 3 --retry-connrefused --retry-max-time 120 \
    --header "x-api-key: $2" --header 'content-type: application/json' --header "idempotency-key: $key" \
    --data-binary '{"source": "curl", "event_id": "test", "title": "A test alert", "severity": "low", "status": "firing"}' \
    "$1"
}
@each@
send "@URL@" "@KEY@" && exit 0
@end@
exit 1
