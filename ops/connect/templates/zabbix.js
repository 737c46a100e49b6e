// A webhook media type for each region. Parameters: event_id {EVENT.ID}, event_name {EVENT.NAME},
// event_value {EVENT.VALUE}, severity {EVENT.SEVERITY}, host {HOST.NAME}, message {ALERT.MESSAGE}.
var params = JSON.parse(value), request = new HttpRequest();
request.addHeader('Content-Type: application/json');
request.addHeader('x-api-key: @KEY@');
request.post('@URL@', JSON.stringify({
  source: 'zabbix', event_id: params.event_id, title: params.event_name, message: params.message,
  severity: params.severity, status: params.event_value === '0' ? 'resolved' : 'firing', host: params.host
}));
if (request.getStatus() !== 202) {
  throw 'The incident responder answered ' + request.getStatus();
}
return 'OK';
