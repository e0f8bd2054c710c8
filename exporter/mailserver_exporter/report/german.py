"""The German texts, by the English ones that they stand for; a block for each module."""

from __future__ import annotations

from mailserver_exporter.report.german_host import HOST

GERMAN: dict[str, str] = {
    **HOST,
    # language.py
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Saturday": "Samstag",
    "Sunday": "Sonntag",
    # compared.py
    "This day": "Dieser Tag",
    "Day before": "Tag davor",
    "Week before": "Woche davor",
    "{names} and {number} more": "{names} und {number} weitere",
    # queue.py
    "{now} messages wait, the oldest for {age}; at most {highest}": "{now} Nachrichten warten, die älteste seit "
    "{age}; höchstens {highest}",
    "{number} messages wait in the queue: see which destination "
    "they wait for, and who sent them.": "{number} Nachrichten warten in der Warteschlange: nachsehen, auf welches "
    "Ziel sie warten und wer sie gesendet hat.",
    "A message has been in the queue for {age}: see why, and "
    "delete it or mend the cause.": "Eine Nachricht liegt seit {age} in der Warteschlange: nachsehen, warum, und sie "
    "löschen oder die Ursache beheben.",
    "empty all the time": "die ganze Zeit leer",
    "Mail queue": "Mail-Warteschlange",
    "Messages in the queue": "Nachrichten in der Warteschlange",
    "Messages in the mail queue: at most {highest}, on average {mean}.": "Nachrichten in der Warteschlange: höchstens "
    "{highest}, im Mittel {mean}.",
    "empty now; at most {highest} messages": "jetzt leer; höchstens {highest} Nachrichten",
    "Queue": "Warteschlange",
    "Now": "Jetzt",
    "At most": "Höchstens",
    "messages": "Nachrichten",
    "Messages": "Nachrichten",
    "The queue was not read any more when the period ended.": "Am Ende des Zeitraums wurde die Warteschlange nicht "
    "mehr gelesen.",
    "Postfix has put aside {number} damaged message: see "
    "whether the disk is sound.": "Postfix hat {number} beschädigte Nachricht beiseitegelegt: nachsehen, ob die "
    "Platte in Ordnung ist.",
    "Postfix has put aside {number} damaged messages: "
    "see whether the disk is sound.": "Postfix hat {number} beschädigte Nachrichten beiseitegelegt: nachsehen, ob die "
    "Platte in Ordnung ist.",
    "{number} message is on hold and stays so until you release or delete it.": "{number} Nachricht ist angehalten "
    "und bleibt es, bis sie freigegeben oder gelöscht wird.",
    "{number} messages are on hold and stay so until you release or delete them.": "{number} Nachrichten sind "
    "angehalten und bleiben es, bis sie freigegeben oder gelöscht werden.",
    "on average": "im Mittel",
    "oldest at any time": "älteste überhaupt",
    "waiting now": "warten jetzt",
    "at most": "höchstens",
    "oldest now": "älteste jetzt",
    # mail.py
    "no such mailbox": "kein solches Postfach",
    "no such domain": "keine solche Domain",
    "the domain takes no mail": "die Domain nimmt keine Mail an",
    "mailbox switched off": "Postfach abgeschaltet",
    "mailbox full": "Postfach voll",
    "message too large for the mailbox": "Nachricht zu groß für das Postfach",
    "the server's disk is full": "die Platte des Servers ist voll",
    "the server takes no mail at the moment": "der Server nimmt zurzeit keine Mail an",
    "message too large": "Nachricht zu groß",
    "no answer from the server": "keine Antwort vom Server",
    "connection broken off": "Verbindung abgebrochen",
    "name server fails": "Nameserver gestört",
    "the domain cannot be found": "die Domain ist nicht zu finden",
    "mail goes in a circle": "Mail läuft im Kreis",
    "waited too long": "zu lange gewartet",
    "refused by policy": "durch eine Regel abgelehnt",
    "TLS or another protection fails": "TLS oder ein anderer Schutz versagt",
    "SPF does not pass": "SPF besteht nicht",
    "reverse DNS does not fit": "Reverse-DNS passt nicht",
    "authentication of the sender fails": "Absender lässt sich nicht nachweisen",
    "our reputation": "unser Ruf",
    "proof of the sender (SPF, DKIM, DMARC)": "Nachweis des Absenders (SPF, DKIM, DMARC)",
    "greylisting": "Greylisting",
    "the recipient": "der Empfänger",
    "the mailbox": "das Postfach",
    "the content": "der Inhalt",
    "other reasons": "andere Gründe",
    "{received} received, {sent} sent, {bounced} bounced, {rejected} rejected": "{received} empfangen, {sent} "
    "gesendet, {bounced} zurückgekommen, {rejected} abgewiesen",
    "Mail": "Mail",
    "another reason": "ein anderer Grund",
    "Mail by the hour": "Mail je Stunde",
    "Mail by the day": "Mail je Tag",
    "{title}: at most {sent} sent, {received} received, {rejected} rejected.": "{title}: höchstens {sent} gesendet, "
    "{received} empfangen, {rejected} abgewiesen.",
    "Counted since {moment}.": "Gezählt seit {moment}.",
    "sent": "gesendet",
    "received": "empfangen",
    "rejected": "abgewiesen",
    "received from other servers": "von anderen Servern empfangen",
    "received from users": "von Benutzern empfangen",
    "sent to other servers": "an andere Server gesendet",
    "delivered to mailboxes here": "in hiesige Postfächer zugestellt",
    "deferred (attempts)": "aufgeschoben (Versuche)",
    "bounced": "zurückgekommen",
    "given up after days": "nach Tagen aufgegeben",
    "rejected by Postfix": "von Postfix abgewiesen",
    "rejected by the spam filter": "vom Spamfilter abgewiesen",
    "Not delivered to others, why": "Nicht zugestellt an andere, warum",
    "Code": "Code",
    "Deferred": "Aufgeschoben",
    "Bounced": "Zurückgekommen",
    "Refused by others for": "Grund der Ablehnung durch andere",
    "{number} other code": "{number} weiterer Code",
    "{number} other codes": "{number} weitere Codes",
    # mail_advice.py
    "No mail came from other servers, the day before {number} messages: see whether port 25 can be reached from "
    "outside and whether the MX record is right.": "Von anderen Servern kam keine Mail, am Tag davor {number} "
    "Nachrichten: nachsehen, ob Port 25 von außen erreichbar ist und der MX-Eintrag stimmt.",
    "{ratio} of the attempts to deliver by {service} were put off: "
    "see what the answers have in common.": "{ratio} der Zustellversuche durch {service} wurden aufgeschoben: "
    "nachsehen, was die Antworten gemeinsam haben.",
    "{number} messages were sent, usually {usual}: see whether one account or program sends them, and "
    "whether it should.": "{number} Nachrichten wurden gesendet, sonst {usual}: nachsehen, ob ein Konto oder Programm "
    "sie sendet und ob es das soll.",
    "Other servers refused {number} deliveries for our reputation: see which provider it is, stop what looks "
    "like spam, then look at the provider's postmaster page "
    "and ask to be taken off its list.": "Andere Server haben {number} Zustellungen wegen unseres Rufs abgelehnt: "
    "nachsehen, welcher Anbieter es ist, abstellen, was nach Spam aussieht, dann auf der Postmaster-Seite des "
    "Anbieters nachsehen und um Streichung von seiner Liste bitten.",
    "Other servers refused {number} deliveries because they could not prove that the mail is ours: look at SPF, "
    "DKIM and DMARC of the senders' domains, and whether it was forwarded.": "Andere Server haben {number} "
    "Zustellungen abgelehnt, weil nicht nachzuweisen war, dass die Mail von uns ist: SPF, DKIM und DMARC der "
    "Absender-Domains ansehen, und ob sie weitergeleitet wurde.",
    "{ratio} of the deliveries by {service} bounced, mostly because the recipients do not exist: a stale "
    "list, or a stolen account that sends spam.": "{ratio} der Zustellungen durch {service} kamen zurück, meist weil "
    "es die Empfänger nicht gibt: eine veraltete Liste oder ein gestohlenes Konto, das Spam sendet.",
    "{ratio} of the deliveries by {service} bounced: see "
    "what the answers have in common.": "{ratio} der Zustellungen durch {service} kamen zurück: nachsehen, was die "
    "Antworten gemeinsam haben.",
    # roundtrips.py
    "from us to us": "von uns zu uns",
    "from us to the mailbox elsewhere": "von uns zum fremden Postfach",
    "from the mailbox elsewhere to us": "vom fremden Postfach zu uns",
    "{lost} of {sent} did not arrive": "{lost} von {sent} kamen nicht an",
    "all {sent} arrived": "alle {sent} kamen an",
    "Probe messages": "Probenachrichten",
    "the newest as junk": "die neueste als Spam",
    "Way": "Weg",
    "Sent": "Gesendet",
    "Arrived": "Angekommen",
    "Median": "Median",
    "Slowest": "Langsamste",
    "{lost} of {sent} probe messages {way} did not arrive: see "
    "in which stage they are lost.": "{lost} von {sent} Probenachrichten {way} kamen nicht an: nachsehen, in welchem "
    "Schritt sie verloren gehen.",
    "Who gets our mail says that {methods} fails, and takes such mail for junk: mend the DNS records or the "
    "signing.": "Wer unsere Mail bekommt, sagt, dass {methods} nicht besteht, und hält solche Mail für Spam: die "
    "DNS-Einträge oder das Signieren in Ordnung bringen.",
    "The probe message {way} arrives as junk: read in its headers "
    "why; other mail fares the same.": "Die Probenachricht {way} kommt als Spam an: in ihren Kopfzeilen lesen, warum; "
    "anderer Mail geht es ebenso.",
    "junk": "Spam",
    # errors.py
    "{number} error in the logs": "{number} Fehler in den Logs",
    "{number} errors in the logs": "{number} Fehler in den Logs",
    "logins cannot be checked": "Anmeldungen sind nicht zu prüfen",
    "a mailbox or the disk is full": "ein Postfach oder die Platte ist voll",
    "an index is damaged": "ein Index ist beschädigt",
    "access to mailboxes is denied": "Zugriff auf Postfächer verweigert",
    "TLS": "TLS",
    "out of memory": "Speicher reicht nicht",
    "something else": "etwas anderes",
    "no log of a mail program is watched": "kein Log eines Mailprogramms wird beobachtet",
    "Errors by service": "Fehler nach Dienst",
    "Dovecot: {about}": "Dovecot: {about}",
    "not measured: {names}": "nicht gemessen: {names}",
    "lines of logs that could not be read": "nicht lesbare Logzeilen",
    "starts of netfilter": "Starts von netfilter",
    "the log {name}": "das Log {name}",
    "cannot be read": "nicht lesbar",
    "{name} has written nothing": "{name} hat nichts geschrieben",
    "Not measured any more: {names}. The check says why.": "Nicht mehr gemessen: {names}. Die Prüfung sagt, warum.",
    "These logs cannot be read: {names}. The check says why.": "Diese Logs sind nicht zu lesen: {names}. Die Prüfung "
    "sagt, warum.",
    "Nothing is written any more by {names}: see whether "
    "it runs, and where it writes.": "Nichts mehr geschrieben von {names}: nachsehen, ob es läuft und wohin es "
    "schreibt.",
    "Postfix gave up {number} time with a fatal error: see "
    "which of its programs and why.": "Postfix gab {number} Mal mit einem schweren Fehler auf: nachsehen, welches "
    "seiner Programme und warum.",
    "Postfix gave up {number} times with a fatal error: see "
    "which of its programs and why.": "Postfix gab {number} Mal mit einem schweren Fehler auf: nachsehen, welches "
    "seiner Programme und warum.",
    "mailcow's netfilter was started {number} times and "
    "forgot all bans each time: see why.": "mailcows netfilter wurde {number} Mal gestartet und vergaß jedes Mal alle "
    "Sperren: nachsehen, warum.",
    "{program}: errors": "{program}: Fehler",
    "{program}: warnings": "{program}: Warnungen",
    "Errors": "Fehler",
    "Not measured": "Nicht gemessen",
    "Since or for": "Seit oder wie lange",
    "Dovecot had {number} errors: {about}.": "Dovecot hatte {number} Fehler: {about}.",
    "collector {name}": "Collector {name}",
    # security.py
    "webmail": "Webmail",
    "others": "andere",
    "only the logs of the networks are known": "nur die Netze aus den Logs sind bekannt",
    "Security": "Sicherheit",
    "at least {number}": "mindestens {number}",
    "Not read: {problem}": "Nicht gelesen: {problem}",
    "{number} refused login by SSH": "{number} abgelehnte Anmeldung per SSH",
    "{number} refused logins by SSH": "{number} abgelehnte Anmeldungen per SSH",
    "{number} to mailboxes": "{number} an Postfächern",
    "{number} ban": "{number} Sperre",
    "{number} bans": "{number} Sperren",
    "a password for SSH may have been guessed": "ein Passwort für SSH wurde vielleicht erraten",
    "SSH: refused": "SSH: abgelehnt",
    "SSH: unknown users": "SSH: unbekannte Benutzer",
    "SSH: logins by key": "SSH: Anmeldungen mit Schlüssel",
    "SSH: logins by other means": "SSH: Anmeldungen auf andere Weise",
    "SSH: logins after many failures": "SSH: Anmeldungen nach vielen Fehlern",
    "IMAP and POP3: refused": "IMAP und POP3: abgelehnt",
    "SMTP: refused": "SMTP: abgelehnt",
    "SOGo: refused": "SOGo: abgelehnt",
    "mailcow's web interface: refused": "mailcows Weboberfläche: abgelehnt",
    "bans by netfilter": "Sperren durch netfilter",
    "Banned now, for which time": "Jetzt gesperrt, zum wievielten Mal",
    "Network": "Netz",
    "Failures": "Fehlversuche",
    "At": "Bei",
    "Addresses": "Adressen",
    "Banned now": "Jetzt gesperrt",
    "The worst networks": "Die schlimmsten Netze",
    "{number} others": "{number} weitere",
    "ban no. {level}": "Sperre Nr. {level}",
    "Logins": "Anmeldungen",
    "Jail": "Jail",
    "Bans in 24 h": "Sperren in 24 h",
    "Repeat offenders": "Wiederholungstäter",
    "{jail} (gone)": "{jail} (weg)",
    # security_advice.py
    "{network} failed to log in {number} times and is not banned: the jail for it is missing, or does not see "
    "these logins.": "{network} scheiterte {number} Mal an der Anmeldung und ist nicht gesperrt: das Jail dafür fehlt "
    "oder sieht diese Anmeldungen nicht.",
    "Somebody logged in by SSH with a password after many wrong ones: see whether it was its owner; if not, the "
    "host is no longer yours.": "Jemand hat sich nach vielen falschen Passwörtern per SSH angemeldet: nachsehen, ob "
    "es der Besitzer war; wenn nicht, ist der Rechner nicht mehr deiner.",
    "{number} logins to mailboxes were refused, usually {usual}: see whether one mailbox is tried, and whether "
    "its password is a good one.": "{number} Anmeldungen an Postfächern wurden abgelehnt, sonst {usual}: nachsehen, "
    "ob ein Postfach probiert wird und ob sein Passwort gut ist.",
    "fail2ban does not answer, so nobody is banned: see why.": "fail2ban antwortet nicht, also wird niemand gesperrt: "
    "nachsehen, warum.",
    "fail2ban has lost the jail {names}: what it protected is open to guessing.": "fail2ban hat das Jail {names} "
    "verloren: was es schützte, steht dem Raten offen.",
    "{number} passwords were tried by SSH, and nobody logs in by "
    "password: switch passwords off.": "{number} Passwörter wurden per SSH probiert, und niemand meldet sich mit "
    "Passwort an: Passwörter abschalten.",
    "{number} logins were refused and nothing bans who tries: install fail2ban.": "{number} Anmeldungen wurden "
    "abgelehnt, und nichts sperrt, wer probiert: fail2ban installieren.",
    # certificates.py
    "not trusted": "nicht vertrauenswürdig",
    "self-signed": "selbst signiert",
    "for another name": "für einen anderen Namen",
    "not valid yet": "noch nicht gültig",
    "too weak": "zu schwach",
    "not the one on disk": "nicht das auf der Platte",
    "the next one ends in {time}": "das nächste endet in {time}",
    "{number} certificate": "{number} Zertifikat",
    "{number} certificates": "{number} Zertifikate",
    "expired: {ports}": "abgelaufen: {ports}",
    "{number} other that ends later": "{number} weiteres, das später endet",
    "{number} others that end later": "{number} weitere, die später enden",
    "Certificates": "Zertifikate",
    "Clients do not trust the certificate of port {ports}: the intermediate certificate is missing, or its "
    "authority is not known.": "Mailprogramme vertrauen dem Zertifikat von Port {ports} nicht: das Zwischenzertifikat "
    "fehlt, oder die ausstellende Stelle ist unbekannt.",
    "The certificate of port {ports} is self-signed: get one from Let's Encrypt.": "Das Zertifikat von Port {ports} "
    "ist selbst signiert: eines von Let's Encrypt holen.",
    "The certificate of port {ports} is for another name "
    "than the one that clients use.": "Das Zertifikat von Port {ports} ist für einen anderen Namen als den, den "
    "Mailprogramme verwenden.",
    "The certificate of port {ports} is not valid yet: see "
    "whether this host's clock is right.": "Das Zertifikat von Port {ports} ist noch nicht gültig: nachsehen, ob die "
    "Uhr dieses Rechners stimmt.",
    "The certificate of port {ports} is too weak for "
    "clients of today: make a new key.": "Das Zertifikat von Port {ports} ist zu schwach für heutige Mailprogramme: "
    "einen neuen Schlüssel erzeugen.",
    "Shown at port": "An Port",
    "Ends on": "Endet am",
    "Left": "Noch",
    "Problems": "Mängel",
    "TLS 1.1 or older is still taken at {ports}.": "TLS 1.1 oder älter wird noch angenommen an {ports}.",
    "Not measured any more when the period ended; this was found last.": "Am Ende des Zeitraums nicht mehr gemessen; "
    "dies wurde zuletzt gefunden.",
    "clients object to {number}": "{number} beanstanden Mailprogramme",
    "Port {ports} still takes TLS 1.1 or older: allow 1.2 and newer only.": "Port {ports} nimmt noch TLS 1.1 oder "
    "älter an: nur 1.2 und neuer erlauben.",
    "Port {ports} shows an old certificate, a newer one is "
    "on disk: reload the services.": "Port {ports} zeigt ein altes Zertifikat, ein neueres liegt auf der Platte: die "
    "Dienste neu laden.",
    "expired": "abgelaufen",
    "none": "keine",
    "The certificate of port {ports} has expired: renew it now.": "Das Zertifikat von Port {ports} ist abgelaufen: "
    "jetzt erneuern.",
    "The certificate of port {ports} ends in {time} and was not renewed: see why.": "Das Zertifikat von Port {ports} "
    "endet in {time} und wurde nicht erneuert: nachsehen, warum.",
    "The certificate of port {ports} should have been renewed by "
    "now, it ends in {time}: see why not.": "Das Zertifikat von Port {ports} hätte schon erneuert sein sollen, es "
    "endet in {time}: nachsehen, warum nicht.",
    # dns.py
    "MX": "MX",
    "other servers do not find where to bring mail to": "andere Server finden nicht, wohin sie Mail bringen sollen",
    "address of the mail host": "Adresse des Mailservers",
    "the mail host's name leads elsewhere": "der Name des Mailservers führt woanders hin",
    "IPv6 address of the mail host": "IPv6-Adresse des Mailservers",
    "reverse DNS": "Reverse-DNS",
    "large providers refuse mail from this address": "große Anbieter lehnen Mail von dieser Adresse ab",
    "SPF": "SPF",
    "others cannot see that our mail is ours": "andere können nicht sehen, dass unsere Mail von uns ist",
    "DKIM": "DKIM",
    "DMARC": "DMARC",
    "others do not know what to do with forged mail": "andere wissen nicht, was sie mit gefälschter Mail tun sollen",
    "MTA-STS": "MTA-STS",
    "servers that heed it may not deliver": "Server, die darauf achten, stellen vielleicht nicht zu",
    "TLS reports": "TLS-Berichte",
    "nobody tells you of failures of TLS": "niemand meldet dir Fehler von TLS",
    "DANE (TLSA)": "DANE (TLSA)",
    "servers that heed it do not deliver": "Server, die darauf achten, stellen nicht zu",
    "DNSSEC": "DNSSEC",
    "resolvers that check it do not find the domain": "Resolver, die es prüfen, finden die Domain nicht",
    "CAA": "CAA",
    "the next certificate may be refused": "das nächste Zertifikat wird vielleicht verweigert",
    "DNS and blocklists": "DNS und Sperrlisten",
    "not everything could be asked": "nicht alles war zu erfragen",
    "Checked last on {moment}.": "Zuletzt geprüft am {moment}.",
    "{number} check got no answer from the DNS.": "{number} Prüfung bekam keine Antwort vom DNS.",
    "{number} checks got no answer from the DNS.": "{number} Prüfungen bekamen keine Antwort vom DNS.",
    "No answer from {lists}.": "Keine Antwort von {lists}.",
    "{number} check fails": "{number} Prüfung schlägt fehl",
    "{number} checks fail": "{number} Prüfungen schlagen fehl",
    "listed by {lists}": "geführt von {lists}",
    "all is well of {number} domain": "alles gut bei {number} Domain",
    "all is well of {number} domains": "alles gut bei {number} Domains",
    "on none of {number} blocklist": "nicht auf der {number} Sperrliste",
    "on none of {number} blocklists": "auf keiner von {number} Sperrlisten",
    "{check} of {domains} is not right: {effect}.": "{check} von {domains} stimmt nicht: {effect}.",
    "{lists} lists our address: find out who sent what they saw, "
    "stop it, then ask to be taken off.": "{lists} führt unsere Adresse: herausfinden, wer gesendet hat, was sie "
    "sahen, es abstellen, dann um Streichung bitten.",
    "No blocklist answers: they refuse public resolvers. Let this "
    "host have a resolver of its own.": "Keine Sperrliste antwortet: sie weisen öffentliche Resolver ab. Diesem "
    "Rechner einen eigenen Resolver geben.",
    "The DNS of {domains} could not be asked: see whether the resolver "
    "answers; others may fare the same.": "Das DNS von {domains} war nicht zu erfragen: nachsehen, ob der Resolver "
    "antwortet; anderen geht es vielleicht ebenso.",
    "SPF of {domains} needs {number} of 10 lookups: one more and "
    "it is void. Name networks instead.": "SPF von {domains} braucht {number} von 10 Abfragen: mit mehr als 10 ist es "
    "ungültig. Stattdessen Netze nennen.",
    'DMARC of {domains} is "none": anybody may forge its senders. Read '
    "the reports, then go on to quarantine.": "DMARC von {domains} steht auf „none“: jeder kann Absender fälschen. "
    "Die Berichte lesen, dann weiter zu quarantine.",
    "The DKIM key of {domains} is shorter than 2048 bits: make a new one.": "Der DKIM-Schlüssel von {domains} ist "
    "kürzer als 2048 Bit: einen neuen erzeugen.",
    "Domain": "Domain",
    "Check": "Prüfung",
    "What comes of it": "Was daraus folgt",
    "Listed by": "Geführt von",
    "Address": "Adresse",
    "The DNS was checked last {age} ago: see why.": "Das DNS wurde zuletzt vor {age} geprüft: nachsehen, warum.",
    "the check says why": "die Prüfung sagt, warum",
    # backups.py
    "{number} backup is good": "{number} Backup ist gut",
    "{number} backups are good": "{number} Backups sind gut",
    "there is none": "es gibt keines",
    "the last one failed": "das letzte schlug fehl",
    "too old": "zu alt",
    "parts are missing": "Teile fehlen",
    "too small": "zu klein",
    "Backups": "Backups",
    "the oldest was made {age} ago": "das älteste entstand vor {age}",
    "There is no backup {name}: see whether its disk is mounted.": "Es gibt kein Backup {name}: nachsehen, ob seine "
    "Platte eingehängt ist.",
    "The newest backup {name} is damaged: make a new one, and look at the disk.": "Das neueste Backup {name} ist "
    "beschädigt: ein neues machen und die Platte ansehen.",
    "No recent copy on another machine of {names}: if this "
    "one is lost, so are its backups.": "Keine neue Kopie auf einem anderen Rechner von {names}: geht dieser "
    "verloren, dann auch seine Backups.",
    "Restoring {names} was never rehearsed, or long ago: do so on a quiet day.": "Das Wiederherstellen von {names} "
    "wurde nie geprobt oder vor langer Zeit: an einem ruhigen Tag tun.",
    "Backup": "Backup",
    "Age": "Alter",
    "Size": "Größe",
    "Of the usual": "Vom Üblichen",
    "Kept": "Vorhanden",
    "Copied": "Kopiert",
    "Rehearsed": "Geprobt",
    "{age} ago": "vor {age}",
    "The last backup {name} failed: see what it said.": "Das letzte Backup {name} schlug fehl: nachsehen, was es "
    "meldete.",
    "No copy of the backups on another machine is known: make one, "
    "or tell of it with backup-mark.": "Keine Kopie der Backups auf einem anderen Rechner ist bekannt: eine machen "
    "oder sie mit backup-mark melden.",
    "The newest backup {name} is {age} old: see whether its "
    "timer runs, and make one now.": "Das neueste Backup {name} ist {age} alt: nachsehen, ob sein Timer läuft, und "
    "jetzt eines machen.",
    "The newest backup {name} lacks {parts}: see why.": "Dem neuesten Backup {name} fehlt {parts}: nachsehen, warum.",
    "The newest backup {name} has only {ratio} of the "
    "usual size: see what it lacks.": "Das neueste Backup {name} hat nur {ratio} der üblichen Größe: nachsehen, was "
    "fehlt.",
    # updates.py
    "{number} update waits": "{number} Update wartet",
    "{number} updates wait": "{number} Updates warten",
    "no": "nein",
    "no update waits": "kein Update wartet",
    "since {moment}": "seit {moment}",
    "Updates": "Updates",
    "{security} of them for security, for {age}": "davon {security} für die Sicherheit, seit {age}",
    "a reboot has been due for {age}": "ein Neustart ist seit {age} fällig",
    "security updates": "Sicherheitsupdates",
    "other updates": "andere Updates",
    "{running}, installed {installed}": "{running}, installiert {installed}",
    "held back": "zurückgehalten",
    "Waiting": "Wartend",
    "reboot required": "Neustart nötig",
    "apt has not heard of new updates for {age}: see whether it is still asked.": "apt weiß seit {age} nichts von "
    "neuen Updates: nachsehen, ob es noch gefragt wird.",
    "{number} security update has been waiting for {age}: install it.": "{number} Sicherheitsupdate wartet seit "
    "{age}: installieren.",
    "{number} security updates have been waiting, the "
    "oldest for {age}: install them.": "{number} Sicherheitsupdates warten, das älteste seit {age}: installieren.",
    "A reboot has been due for {age}, the old kernel or "
    "library runs on: choose a quiet hour.": "Ein Neustart ist seit {age} fällig, der alte Kernel oder die alte "
    "Bibliothek läuft weiter: eine ruhige Stunde wählen.",
    "oldest security update": "ältestes Sicherheitsupdate",
    "age of the package lists": "Alter der Paketlisten",
    "kernel": "Kernel",
    # charts.py
    "no data": "keine Daten",
    "warning": "Warnung",
    "critical": "kritisch",
    # words.py
    "had a warning": "hatte eine Warnung",
    "was critical": "war kritisch",
    "good": "gut",
    "note": "Hinweis",
    "{start} to {end}": "{start} bis {end}",
    "Made by mailserver-exporter {version} on {date} at {time}.": "Erstellt von mailserver-exporter {version}: "
    "{date}, {time}.",
    # html.py, plain.py, bounded.py
    "Recommended actions": "Empfohlene Maßnahmen",
    "{number} more is not shown": "{number} weitere wird nicht gezeigt",
    "{number} more are not shown": "{number} weitere werden nicht gezeigt",
    # compose.py, wellness.py
    "All well": "Alles in Ordnung",
    "All well: {reasons}": "Alles in Ordnung: {reasons}",
    "What could be asked is well": "Was erfragt werden konnte, ist in Ordnung",
    "{number} service always up": "{number} Dienst immer da",
    "{number} services always up": "{number} Dienste immer da",
    "{number} alert is over": "{number} Alarm ist vorbei",
    "{number} alerts are over": "{number} Alarme sind vorbei",
    "no alert": "kein Alarm",
    "newest backup {age} old": "neuestes Backup {age} alt",
    "CRITICAL": "KRITISCH",
    "INCOMPLETE": "UNVOLLSTÄNDIG",
    "{number} warning": "{number} Warnung",
    "{number} warnings": "{number} Warnungen",
    "{number} more": "{number} weitere",
    "daily report": "Tagesbericht",
    # run.py
    "Prometheus at {url} has measured nothing of {host} in this time": "Prometheus unter {url} hat in dieser Zeit "
    "nichts von {host} gemessen",
    "Prometheus could not be asked: {error}": "Prometheus konnte nicht gefragt werden: {error}",
    "The alert log cannot be read: {error}": "Das Alarm-Log kann nicht gelesen werden: {error}",
    "The report before this one could not be sent: {error}": "Der Bericht davor konnte nicht verschickt werden: "
    "{error}",
    "A fault in this program keeps back what is known of {subject}: {error}": "Ein Fehler in diesem Programm hält "
    "zurück, was über {subject} bekannt ist: {error}",
    "A fault in this program keeps the details back: {error}": "Ein Fehler in diesem Programm hält die Einzelheiten "
    "zurück: {error}",
    # sections/alerts.py
    "Alerts": "Alarme",
    "{severity} {number} times, {time} in all": "{severity} {number}-mal, insgesamt {time}",
    "{severity} for {time}": "{severity}, {time} lang",
    "now since {moment}": "jetzt seit {moment}",
    "still firing": "besteht noch",
    "over": "vorbei",
    "over since {moment}": "vorbei seit {moment}",
    "Times": "Wie oft",
    "{number} is over": "{number} ist vorbei",
    "{number} are over": "{number} sind vorbei",
    "State": "Zustand",
    "{number} more is over": "{number} weiterer ist vorbei",
    "{number} more are over": "{number} weitere sind vorbei",
    "{alert} (fires since {moment})": "{alert} (seit {moment})",
    "{number} alert fires now.": "{number} Alarm besteht.",
    "{number} alerts fire now.": "{number} Alarme bestehen.",
    "No alert fires now.": "Kein Alarm besteht.",
    "No alert fired.": "Es gab keinen Alarm.",
    "{text} ({number} critical).": "{text} ({number} kritisch).",
}
